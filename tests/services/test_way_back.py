"""An answer whose connection has gone is sent on a new one (RFC 3261 §18.2.2, RFC 3263 §5)."""

from __future__ import annotations

import pytest

from sipengine.sip.next_hop import Located, Server
from tests.services.conftest import registered
from tests.services.user_agents import Phone
from tests.services.wire import Wire

SOURCE = "198.51.100.1"


@pytest.fixture
def caller(wire: Wire) -> Phone:
    """It sends from an ephemeral port; 5080 is where it listens."""
    return registered(wire, "1001", SOURCE, 40_000, transport="TCP")


def answered_late(wire: Wire, caller: Phone, bob: Phone, sent_by: str) -> None:
    """A MESSAGE with that Via is answered by Bob after its connection has closed."""
    caller.authenticated("MESSAGE", "sip:1002@pbx.test", body="hello")
    own, name = caller.via, sent_by

    def via(branch: str = "") -> str:
        return own(branch).replace(f"{SOURCE}:40000", name).removesuffix(";rport")

    caller.via = via
    bob.reply(bob.request("MESSAGE"), 200, tag="b")
    caller.response(200)
    caller.authenticated("MESSAGE", "sip:1002@pbx.test", body="hello again")
    request = bob.request("MESSAGE")
    wire.drop_connection(caller.flow)
    bob.reply(request, 200, tag="b")


def answered_at(wire: Wire) -> list[tuple[str, str, int]]:
    """Where answers to MESSAGE went after the connection closed."""
    return [
        (flow.transport, *flow.remote)
        for flow, data in wire.sent
        if data.startswith(b"SIP/2.0 200") and b"MESSAGE" in data
    ]


def test_18_2_2_to_the_source_address_and_the_port_of_the_via(
    wire: Wire, caller: Phone, bob: Phone
) -> None:
    answered_late(wire, caller, bob, f"{SOURCE}:5080")
    assert answered_at(wire)[-1] == ("TCP", SOURCE, 5080)


def test_18_2_2_received_counts_more_than_a_private_address(
    wire: Wire, caller: Phone, bob: Phone
) -> None:
    answered_late(wire, caller, bob, "10.0.0.7:5080")
    assert answered_at(wire)[-1] == ("TCP", SOURCE, 5080)


def test_18_2_2_without_a_port_the_usual_one(wire: Wire, caller: Phone, bob: Phone) -> None:
    answered_late(wire, caller, bob, "phone.test")
    assert answered_at(wire)[-1] == ("TCP", SOURCE, 5060)


def test_3263_5_if_that_fails_where_the_name_in_the_via_leads(
    wire: Wire, caller: Phone, bob: Phone
) -> None:
    answered_late(wire, caller, bob, "phone.test")
    wire.servers["phone.test"] = Located((Server("TCP", "198.51.100.88", 5090, "phone.test"),))
    wire.bounce(wire.flow_to("TCP", SOURCE, 5060))
    assert answered_at(wire)[-1] == ("TCP", "198.51.100.88", 5090)


def test_a_connection_that_stands_does_not_send_the_answer_again_when_it_ends(
    wire: Wire, caller: Phone, bob: Phone
) -> None:
    answered_late(wire, caller, bob, "phone.test")
    wire.servers["phone.test"] = Located((Server("TCP", "198.51.100.88", 5090, "phone.test"),))
    wire.advance(11)
    before = len(answered_at(wire))
    wire.drop_connection(wire.flow_to("TCP", SOURCE, 5060))
    assert len(answered_at(wire)) == before


def test_18_2_2_a_call_is_answered_on_the_new_connection(
    wire: Wire, caller: Phone, bob: Phone
) -> None:
    call = caller.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    call.rings()
    wire.drop_connection(caller.flow)
    caller.reconnect(40_001)
    wire.listen(caller, "TCP", SOURCE, 40_000)
    incoming.answer()
    dialog = call.answered()
    bob.request("ACK")
    assert dialog
    assert wire.row.state == "talking"
