"""Giving up: CANCEL from the caller, and what crosses it on the wire (RFC 3261 §9, §16.10)."""

from __future__ import annotations

from tests.services.conftest import World, registered
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire


def test_16_10_cancel_while_it_rings(alice: Phone, bob: Phone) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    alice.response(180)
    call.cancel()
    assert alice.response(200)["CSeq"] == f"{call.cseq} CANCEL"
    incoming.cancelled()
    call.fails(487)
    row = alice.wire.row
    assert (row.state, row.result, row.hangup_by, row.sip_status) == (
        "ended", "cancelled", "caller", 487,
    )  # fmt: skip
    assert row.legs[0].result == "cancelled"


def test_9_1_cancel_has_the_invites_uri_ids_routes_and_branch(alice: Phone, bob: Phone) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    call.cancel()
    cancel = bob.request("CANCEL")
    invite = incoming.invite
    assert cancel.uri == invite.uri
    assert cancel.all("Via") == invite.all("Via")[:1]
    for name in ("From", "To", "Call-ID", "Max-Forwards"):
        assert cancel[name] == invite[name]
    assert cancel["CSeq"] == f"{call.cseq} CANCEL"
    assert cancel["Content-Length"] == "0"
    assert cancel.body == ""


def test_9_1_cancel_before_any_provisional_waits_for_it(alice: Phone, bob: Phone) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    call.cancel()
    alice.response(200)
    bob.nothing()
    bob.reply(incoming.invite, 100, "Trying")
    incoming.cancelled()
    call.fails(487)


def test_9_1_cancel_of_a_phone_that_is_silent_for_ever(alice: Phone, bob: Phone) -> None:
    call = alice.call("1002")
    call.cancel()
    alice.response(200)
    bob.wire.advance(33)
    call.fails(487)
    assert {message.method for message in bob.inbox} == {"INVITE"}
    bob.wire.advance(40)
    assert bob.wire.transactions == 0


def test_9_1_a_cancelled_phone_that_never_ends_its_invite_is_given_up_after_64_t1(
    alice: Phone, bob: Phone
) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    alice.response(180)
    call.cancel()
    alice.response(200)
    bob.wire.advance(31)
    alice.nothing()
    bob.wire.advance(2)
    call.fails(487)
    bob.wire.advance(40)
    assert bob.wire.transactions == 0


def test_9_2_cancel_that_crosses_the_200_changes_nothing(alice: Phone, bob: Phone) -> None:
    """RFC 5407 §3.1.2: the caller has a dialog now, and ends it by BYE."""
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    alice.response(180)
    call.cancel()
    bob.request("CANCEL")
    incoming.send_ok()
    alice.response(200)
    dialog = call.answered()
    bob.request("ACK")
    dialog.request("BYE")
    bye = bob.request("BYE")
    bob.reply(bye, 200)
    assert alice.response(200)["CSeq"].endswith("BYE")
    row = alice.wire.row
    assert (row.result, row.hangup_by) == ("answered", "caller")


def test_9_2_cancel_after_the_final_answer_is_answered_and_ignored(
    alice: Phone, bob: Phone
) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.answer()
    call.answered()
    bob.request("ACK")
    call.cancel()
    assert alice.response(200)["CSeq"].endswith("CANCEL")
    bob.nothing()


def test_9_2_cancel_of_an_unknown_invite_is_481(alice: Phone) -> None:
    alice.other_request("CANCEL", f"sip:1002@{DOMAIN}")
    assert alice.response(481)["CSeq"].endswith("CANCEL")


def test_9_2_cancel_sent_again_is_answered_again_and_forwarded_once(
    alice: Phone, bob: Phone
) -> None:
    call = alice.call("1002")
    bob.incoming().ring()
    alice.response(180)
    call.cancel()
    call.cancel()
    alice.response(200)
    alice.response(200)
    bob.request("CANCEL")
    bob.nothing()


def test_9_2_the_tags_of_the_answers_to_cancel_and_invite(alice: Phone, bob: Phone) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    alice.response(180)
    call.cancel()
    assert alice.response(200).to_tag
    incoming.cancelled()
    assert call.fails(487).to_tag


def test_17_1_2_our_cancel_is_repeated_until_it_is_answered(alice: Phone, bob: Phone) -> None:
    call = alice.call("1002")
    bob.incoming().ring()
    alice.response(180)
    call.cancel()
    bob.wire.advance(3.6)
    assert [bob.receive().method for _ in range(4)] == ["CANCEL"] * 4  # 0, 0.5, 1.5, 3.5 s


def test_17_1_2_a_200_for_our_cancel_stops_it_and_is_not_taken_for_the_invites(
    alice: Phone, bob: Phone
) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    alice.response(180)
    call.cancel()
    alice.response(200)
    bob.reply(bob.request("CANCEL"), 200, tag=incoming.tag)
    bob.wire.advance(10)
    bob.nothing()
    alice.nothing()


def test_3326_the_callers_reason_reaches_the_phones(alice: Phone, bob: Phone) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    call.cancel('Reason: Q.850;cause=16;text="Terminated"\n')
    assert bob.request("CANCEL")["Reason"] == 'Q.850;cause=16;text="Terminated"'


def test_16_10_cancel_of_a_fork_reaches_all_and_answers_once(wire: Wire, alice: Phone) -> None:
    phones = [registered(wire, "1002", f"198.51.100.{20 + at}") for at in range(3)]
    call = alice.call("1002")
    incoming = [phone.incoming() for phone in phones]
    for one in incoming:
        one.ring()
    alice.inbox.clear()
    call.cancel()
    alice.response(200)
    incoming[0].cancelled()
    incoming[1].cancelled()
    alice.nothing()
    incoming[2].cancelled()
    call.fails(487)
    alice.nothing()


def test_9_1_no_next_stage_after_cancel(world: World) -> None:
    wire = world(e1002={"forward_busy": "1003", "forward_no_answer": "1003"})
    caller = registered(wire, "1001", "198.51.100.1")
    called = registered(wire, "1002", "198.51.100.2")
    third = registered(wire, "1003", "198.51.100.3")
    call = caller.call("1002")
    incoming = called.incoming()
    incoming.ring()
    caller.response(180)
    call.cancel()
    caller.response(200)
    called.request("CANCEL")
    incoming.reject(486)
    call.fails(487)
    wire.advance(100)
    third.nothing()
