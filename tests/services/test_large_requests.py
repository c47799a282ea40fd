"""Requests over 1300 bytes to somebody on UDP: TCP first, then UDP (RFC 3261 §18.1.1)."""

from __future__ import annotations

import pytest

from sipengine.services.proxy.large import REFUSED_S
from sipengine.sip.flow import Flow
from tests.services.conftest import registered
from tests.services.user_agents import Phone
from tests.services.wire import Wire

BODY = "v=0\r\n" + "a=candidate:1 1 UDP 1 192.0.2.1 9 typ host\r\n" * 40


def stream_of(wire: Wire, phone: Phone) -> Flow:
    """The connection that the server makes to a phone, with somebody who accepts it."""
    wire.listen(phone, "TCP", phone.host, phone.port)
    return wire.flow_to("TCP", phone.host, phone.port)


def test_18_1_1_a_large_invite_takes_tcp_and_says_so_in_its_via(
    wire: Wire, alice: Phone, bob: Phone
) -> None:
    stream = stream_of(wire, bob)
    alice.call("1002", body=BODY)
    assert wire.sent[-1][0] is stream
    invite = bob.request("INVITE")
    assert invite["Via"].startswith("SIP/2.0/TCP 192.0.2.1:5060;")
    assert "transport=tcp" in invite["Record-Route"]
    assert invite.body == BODY


def test_18_1_1_where_nobody_takes_tcp_it_goes_by_udp_and_tcp_is_not_tried_for_an_hour(
    wire: Wire, alice: Phone, bob: Phone
) -> None:
    call = alice.call("1002", body=BODY)
    incoming = bob.incoming()
    assert incoming.invite["Via"].startswith("SIP/2.0/UDP ")
    incoming.ring()
    call.rings()
    incoming.answer()
    call.answered()
    bob.request("ACK")
    alice.call("1002", body=BODY)
    assert bob.request("INVITE")["Via"].startswith("SIP/2.0/UDP ")
    wire.advance(REFUSED_S)
    alice.inbox.clear()
    bob.inbox.clear()
    bob.register()
    stream = stream_of(wire, bob)
    alice.call("1002", body=BODY)
    assert stream in [flow for flow, data in wire.sent if data.startswith(b"INVITE")]


def test_18_1_1_a_small_request_stays_on_udp(wire: Wire, alice: Phone, bob: Phone) -> None:
    stream = stream_of(wire, bob)
    alice.call("1002")
    assert bob.request("INVITE")["Via"].startswith("SIP/2.0/UDP ")
    assert stream not in [flow for flow, _ in wire.sent]


def test_18_1_1_a_connection_that_breaks_after_an_answer_is_no_reason_to_call_again(
    wire: Wire, alice: Phone, bob: Phone
) -> None:
    stream = stream_of(wire, bob)
    bob.flow = stream
    call = alice.call("1002", body=BODY)
    bob.incoming().ring()
    call.rings()
    wire.drop_connection(stream)
    bob.nothing()
    call.fails(480)


def test_18_1_1_a_call_that_was_given_up_meanwhile_is_not_sent_by_udp(
    wire: Wire, alice: Phone, bob: Phone
) -> None:
    stream = stream_of(wire, bob)
    call = alice.call("1002", body=BODY)
    bob.inbox.clear()
    call.cancel()
    alice.response(200)
    wire.bounce(stream)
    bob.nothing()
    call.fails(487)


def test_18_1_1_a_phone_behind_nat_gets_its_datagrams_at_once(wire: Wire, alice: Phone) -> None:
    bob = registered(wire, "1002", "198.51.100.2", contact_host="192.168.1.7")
    alice.call("1002", body=BODY)
    assert bob.request("INVITE")["Via"].startswith("SIP/2.0/UDP ")


@pytest.mark.parametrize("taken", [True, False])
def test_18_1_1_a_large_message_takes_tcp_too(
    wire: Wire, alice: Phone, bob: Phone, taken: bool
) -> None:
    stream = stream_of(wire, bob) if taken else None
    alice.authenticated("MESSAGE", "sip:1002@pbx.test", body="x" * 1200)
    message = bob.request("MESSAGE")
    assert message["Via"].startswith("SIP/2.0/TCP " if taken else "SIP/2.0/UDP ")
    if stream is not None:
        bob.flow = stream
    bob.reply(message, 200, "OK")
    alice.response(200)
    assert wire.transactions == (1 if taken else 2), "over TCP ours ends with its answer"
