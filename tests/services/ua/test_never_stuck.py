"""States that must be left: each test here is a session that once waited for ever, or a leak."""

from __future__ import annotations

import pytest

from sipengine.sip.offer_answer import STABLE
from tests.services.ua.pair import Pair, starts
from tests.services.ua.test_extensions import early


def postponed(pair: Pair) -> None:
    """Bob has picked up, but his 200 waits for a PRACK that does not come."""
    pair.hold = starts("PRACK")
    early(pair)
    pair.bob.session.accept(None, pair.now)
    pair.settle()
    assert "200 INVITE" not in pair.said("bob")


def invites_of(pair: Pair) -> int:
    """INVITE transactions that are still open on either side."""
    return sum(
        len(party.phone.layer.servers) + len(party.phone.layer.clients)
        for party in (pair.alice, pair.bob)
    )


def test_no_prack_refuses_the_call_even_after_pick_up_rfc3262_3(pair: Pair) -> None:
    postponed(pair)
    pair.lose = starts("PRACK")
    pair.advance(33)
    assert "504 INVITE" in pair.said("bob")
    assert (pair.alice.endings[0].status, pair.bob.endings[0].status) == (504, 504)
    pair.advance(70)
    assert invites_of(pair) == 0


def test_cancel_before_the_prack_of_an_answered_call_rfc3261_9_2(pair: Pair) -> None:
    postponed(pair)
    pair.alice.session.end(pair.now)
    pair.settle()
    assert "487 INVITE" in pair.said("bob")
    assert pair.bob.endings[0].status == 487
    pair.release()
    assert "200 INVITE" not in pair.said("bob")


def test_early_bye_before_the_prack_of_an_answered_call_rfc3261_15_1_2(pair: Pair) -> None:
    postponed(pair)
    pair.alice.session.bye("", pair.now)
    pair.settle()
    assert pair.said("bob")[-2:] == ["200 BYE", "487 INVITE"]
    pair.advance(70)
    assert invites_of(pair) == 0


@pytest.mark.parametrize("contact", ["<sip:@@@>", "<mailto:bob@b.test>", "<sip:a:b:c>"])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_change_with_a_broken_contact_is_refused_and_leaves_no_offer_open_rfc3261_12_2_2(
    talking: Pair, method: str, contact: str
) -> None:
    bob = talking.bob.session
    assert bob.dialog is not None
    target = bob.dialog.remote_target
    alice = talking.alice.session
    body = alice.signed(talking.alice.description)
    message = alice.compose(method, [("Contact", contact)], body)
    alice.agent.send(message, None, Unheard(), talking.now)
    talking.settle()
    assert talking.said("bob")[0].startswith("4")
    assert bob.negotiation.state == STABLE
    assert bob.free
    assert bob.dialog.remote_target == target


class Unheard:
    def on_response(self, status: int, data: bytes, now: float) -> None: ...

    def on_timeout(self, now: float) -> None: ...

    def on_transport_error(self, now: float) -> None: ...


def broken_contact(data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    return b"\r\n".join(
        b"Contact: <sip:@@@>" if line.startswith(b"Contact:") else line for line in lines
    )


def test_answer_with_a_broken_contact_changes_no_target_rfc3261_12_2_1_2(talking: Pair) -> None:
    alice = talking.alice.session
    assert alice.dialog is not None
    target = alice.dialog.remote_target
    talking.hold = starts("SIP/2.0 200")
    alice.offer(talking.alice.description, talking.now)
    talking.settle()
    talking.held = [(party, broken_contact(data)) for party, data in talking.held]
    talking.release()
    assert talking.said("alice")[-1] == "ACK"
    assert talking.alice.events == ["answer"]
    assert alice.dialog.remote_target == target
    assert alice.free


def test_reinvite_that_is_never_answered_is_taken_back_rfc3261_14_1(talking: Pair) -> None:
    """The phone vanishes after its 100: CANCEL, then BYE, and no transaction stays."""
    talking.bob.at_once = False
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.settle()
    assert talking.said("bob") == ["100 INVITE"]
    talking.lose = lambda data: True
    talking.advance(180)
    assert "CANCEL" not in talking.said("alice")
    talking.advance(2)
    assert "CANCEL" in talking.said("alice")
    talking.advance(33)
    assert talking.said("alice")[-1] == "BYE"
    assert talking.alice.endings[0].why == "its phone does not answer any more"
    talking.advance(100)
    assert not talking.alice.phone.layer.clients


def test_reinvite_of_a_session_that_ended_leaves_no_transaction_rfc3261_14_1(talking: Pair) -> None:
    talking.bob.at_once = False
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.settle()
    talking.lose = lambda data: True
    talking.alice.session.end(talking.now)
    talking.advance(300)
    assert not talking.alice.phone.layer.clients


def test_reinvite_that_takes_long_is_taken_back_in_peace_rfc3261_14_1(talking: Pair) -> None:
    talking.bob.at_once = False
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.settle()
    talking.advance(182)
    assert "487 INVITE" in talking.said("bob")
    assert talking.alice.events == ["refused 487"]
    assert talking.bob.events == ["offer", "offer withdrawn"]
    assert talking.alice.session.free
    assert talking.bob.session.free


def test_session_that_cannot_be_refreshed_expires_rfc4028_10() -> None:
    """An offer of the peer that the application never answers must not keep a dead session."""
    pair = Pair(interval=90)
    pair.alice.call()
    refresher, other = pair.alice, pair.bob
    agreement = refresher.session.timer.agreement
    assert agreement is not None
    if not agreement.we_refresh:
        refresher, other = other, refresher
    pair.settle()
    refresher.at_once = False
    other.session.offer(other.description, pair.now)
    pair.settle()
    assert not refresher.session.free
    pair.lose = lambda data: True
    pair.advance(120)
    assert refresher.endings
    assert "renew" in refresher.endings[0].why


def test_update_that_nobody_answers_is_504_rfc3311_5_2(pair: Pair) -> None:
    early(pair)
    pair.alice.session.offer(pair.alice.description, pair.now)
    pair.settle()
    assert pair.bob.events[-1] == "offer"
    pair.advance(25)
    assert "504 UPDATE" in pair.said("bob")
    assert pair.bob.events[-1] == "offer withdrawn"
    assert pair.bob.session.negotiation.state == STABLE
    assert pair.alice.session.negotiation.state == STABLE


def test_early_dialog_that_is_lost_takes_back_the_invite_rfc3261_9_1(pair: Pair) -> None:
    early(pair)
    pair.lose = starts("UPDATE")
    pair.alice.session.offer(pair.alice.description, pair.now)
    pair.advance(33)
    assert "CANCEL" in pair.said("alice")
    assert pair.alice.endings[0].status == 487
    assert pair.bob.endings[0].status == 487


def test_bye_in_an_early_dialog_of_ours_takes_back_the_invite_rfc3261_15(pair: Pair) -> None:
    """A callee must not send it; if it does, no other phone rings on for nobody."""
    early(pair)
    pair.bob.session.bye("", pair.now)
    pair.settle()
    assert pair.said("alice")[-3:] == ["200 BYE", "CANCEL", "ACK"]
    assert pair.alice.endings[0].status == 487


def test_forks_that_answer_without_end_are_bounded_rfc3261_13_2_2_4(pair: Pair) -> None:
    pair.alice.call()
    _, answer = next(sent for sent in pair.sent if sent[1].startswith(b"SIP/2.0 200"))
    tag = pair.bob.session.local_tag.encode()
    pair.sent.clear()
    for number in range(100):
        pair.alice.phone.receive(answer.replace(tag, b"fork%d" % number), pair.alice.flow, pair.now)
    assert sum(1 for _, data in pair.alice.phone.out if data.startswith(b"BYE")) == 15
    assert sum(1 for _, data in pair.alice.phone.out if data.startswith(b"ACK")) == 15
