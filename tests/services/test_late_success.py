"""A 2xx that comes when the caller has been told that the call failed (RFC 3261 §16.7, RFC 6026 §7.1)."""

from __future__ import annotations

import pytest

from tests.services.conftest import World, registered
from tests.services.user_agents import IncomingCall, OutgoingCall, Phone
from tests.services.wire import Wire


@pytest.fixture
def too_late(world: World) -> tuple[Wire, Phone, Phone, OutgoingCall, IncomingCall]:
    """Bob has rung for as long as it may; somebody takes the call while the CANCEL is on its way."""
    wire = world(e1002={"ring_timeout": 10})
    alice = registered(wire, "1001", "198.51.100.1")
    bob = registered(wire, "1002", "198.51.100.2")
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    alice.response(180)
    wire.advance(10.1)
    call.fails(480)
    bob.reply(bob.request("CANCEL"), 200, tag=incoming.tag)
    return wire, alice, bob, call, incoming


def test_16_7_5_the_phone_that_answered_too_late_is_hung_up(
    too_late: tuple[Wire, Phone, Phone, OutgoingCall, IncomingCall],
) -> None:
    wire, alice, bob, call, incoming = too_late
    incoming.send_ok()
    ack = bob.request("ACK")
    assert (ack["CSeq"], ack.to_tag) == ("2 ACK", incoming.tag)
    bye = bob.request("BYE")
    assert (bye["CSeq"], bye["Call-ID"]) == ("3 BYE", call.call_id)
    assert bye.uri == "sip:1002@198.51.100.2:5060"
    assert bye["Reason"].startswith("SIP;cause=487")
    bob.reply(bye, 200)
    alice.nothing()
    assert wire.row.result == "no_answer"
    wire.advance(100)
    bob.nothing()
    assert wire.transactions == 0


def test_6026_7_1_its_200_again_gets_the_ack_again_and_no_second_bye(
    too_late: tuple[Wire, Phone, Phone, OutgoingCall, IncomingCall],
) -> None:
    _, _, bob, _, incoming = too_late
    incoming.send_ok()
    bob.request("ACK")
    bob.reply(bob.request("BYE"), 200)
    incoming.send_ok()
    bob.request("ACK")
    bob.nothing()


def test_16_7_5_without_a_contact_there_is_nobody_to_tell(
    too_late: tuple[Wire, Phone, Phone, OutgoingCall, IncomingCall],
) -> None:
    wire, _, bob, _, incoming = too_late
    bob.reply(incoming.invite, 200, tag=incoming.tag)
    bob.nothing()
    wire.advance(100)
    assert wire.transactions == 0


def test_16_7_5_two_forks_answer_at_once_both_go_back(wire: Wire, alice: Phone) -> None:
    one, two = (registered(wire, "1002", f"198.51.100.{at}") for at in (21, 22))
    call = alice.call("1002")
    first, second = one.incoming(), two.incoming()
    first.send_ok()
    second.send_ok()
    call.answered()
    call.answered()
    assert wire.row.result == ""
