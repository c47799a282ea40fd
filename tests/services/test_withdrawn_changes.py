"""A change of a call between two phones of ours that its phone takes back meanwhile (RFC 3261 §9, §14).

Once neither heard of it again: the other side kept what nobody wanted, or waited for ever.
"""

from __future__ import annotations

import pytest

from tests.services.test_click_to_call import TYPE, Heard, Joined, joined, sdp
from tests.services.user_agents import Phone
from tests.services.wire import Wire


@pytest.fixture
def call(wire: Wire, alice: Phone, bob: Phone) -> Joined:
    return joined(wire, Heard(), alice, bob)


def withdrawn(call: Joined, alice: Phone, body: str) -> None:
    """Alice sends a re-INVITE and a CANCEL for it."""
    branch = call.alice.request("INVITE", body=body, extra=TYPE if body else "")
    alice.response(100)
    call.alice.request("CANCEL", branch=branch, number=call.alice.cseq)
    assert alice.response(487)
    alice.response(200)
    call.alice.request("ACK", branch=branch, number=call.alice.cseq)


def test_cancelled_change_is_cancelled_at_the_other_side_rfc3261_9_1(
    call: Joined, alice: Phone, bob: Phone
) -> None:
    branch = call.alice.request("INVITE", body=sdp(alice, 40002, 3, "a=sendonly\r\n"), extra=TYPE)
    alice.response(100)
    passed = bob.request("INVITE")
    bob.reply(passed, 180)
    call.alice.request("CANCEL", branch=branch, number=call.alice.cseq)
    assert alice.response(487)
    alice.response(200)
    call.alice.request("ACK", branch=branch, number=call.alice.cseq)
    bob.reply(bob.request("CANCEL"), 200, "OK")
    bob.reply(passed, 487, "Request Terminated")
    bob.request("ACK")
    call.wire.advance(1)
    bob.nothing()
    call.bob.request("INVITE", body=sdp(bob, 50000, 3), extra=TYPE)
    bob.response(100)
    assert alice.request("INVITE").body, "the next change is passed on"


def test_200_crosses_the_cancel_and_the_change_is_taken_back_rfc3261_9_1(
    call: Joined, alice: Phone, bob: Phone
) -> None:
    withdrawn(call, alice, sdp(alice, 40002, 3, "a=sendonly\r\n"))
    passed = bob.request("INVITE")
    assert "a=sendonly" in passed.body
    contact = f"Contact: {bob.contact}"
    bob.reply(passed, 200, "OK", extra=contact, body=sdp(bob, 50000, 2, "a=recvonly\r\n"))
    bob.request("ACK")
    back = bob.request("INVITE")
    assert "m=audio 40002" in back.body
    assert "a=sendonly" not in back.body
    bob.reply(back, 200, "OK", extra=contact, body=sdp(bob, 50000, 3))
    bob.request("ACK")
    call.wire.advance(1)
    bob.nothing()
    alice.nothing()
    assert call.wire.row.state == "talking"


def test_phone_that_listens_elsewhere_after_that_is_told_of_rfc3725_7(
    call: Joined, alice: Phone, bob: Phone
) -> None:
    withdrawn(call, alice, sdp(alice, 40002, 3))
    contact = f"Contact: {bob.contact}"
    bob.reply(bob.request("INVITE"), 200, "OK", extra=contact, body=sdp(bob, 50010, 2))
    bob.request("ACK")
    bob.reply(bob.request("INVITE"), 200, "OK", extra=contact, body=sdp(bob, 50012, 3))
    bob.request("ACK")
    told = alice.request("INVITE")
    assert "m=audio 50012" in told.body
    answer = sdp(alice, 40002, 4)
    alice.reply(told, 200, "OK", extra=f"Contact: {alice.contact}", body=answer)
    alice.request("ACK")
    call.wire.advance(1)
    bob.nothing()


def test_200_with_an_offer_that_nobody_wants_any_more_rfc3261_13_2_2_4(
    call: Joined, alice: Phone, bob: Phone
) -> None:
    """Alice asked for an offer and took that back; Bob's 200 with one gets its ACK all the same."""
    withdrawn(call, alice, "")
    passed = bob.request("INVITE")
    assert not passed.body
    bob.reply(passed, 200, "OK", extra=f"Contact: {bob.contact}", body=sdp(bob, 50004, 2))
    offered = alice.request("INVITE")
    assert "m=audio 50004" in offered.body
    alice.reply(offered, 200, "OK", extra=f"Contact: {alice.contact}", body=sdp(alice, 40002, 3))
    alice.request("ACK")
    assert "m=audio 40002" in bob.request("ACK").body
    assert call.wire.row.state == "talking"


def test_update_that_the_other_side_does_not_answer_rfc3311_5_2(
    call: Joined, alice: Phone, bob: Phone
) -> None:
    call.alice.request("UPDATE", body=sdp(alice, 40002, 3, "a=sendonly\r\n"), extra=TYPE)
    passed = bob.request("INVITE")
    bob.reply(passed, 180)
    call.wire.advance(24.1)
    assert alice.response(504)
    bob.reply(bob.request("CANCEL"), 200, "OK")
    bob.reply(passed, 487, "Request Terminated")
    bob.request("ACK")
    assert call.wire.row.state == "talking"
