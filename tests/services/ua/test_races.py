"""The races of RFC 5407 and the glare of RFC 3261 §14, each scripted message by message."""

from __future__ import annotations

import pytest

from sipengine.sip.offer_answer import STABLE
from tests.services.ua.pair import Pair, starts


def test_both_offer_at_once_both_get_491_and_try_again_rfc3261_14_1(talking: Pair) -> None:
    talking.alice.session.offer(talking.alice.description, talking.now, insist=True)
    talking.bob.session.offer(talking.bob.description, talking.now, insist=True)
    talking.settle()
    assert sorted(talking.said()[2:4]) == ["491 INVITE", "491 INVITE"]
    assert not talking.alice.session.free
    talking.advance(5)
    assert talking.alice.events.count("answer") == 1
    assert talking.bob.events.count("answer") == 1
    assert "refused 491" not in talking.alice.events + talking.bob.events
    assert talking.alice.session.free
    assert talking.bob.session.free


def test_who_owns_the_call_id_waits_longer_rfc3261_14_1(talking: Pair) -> None:
    talking.alice.session.offer(talking.alice.description, talking.now, insist=True)
    talking.bob.session.offer(talking.bob.description, talking.now, insist=True)
    talking.settle()
    talking.sent.clear()
    talking.advance(2.05)
    assert "INVITE" in talking.said("bob")
    assert "INVITE" not in talking.said("alice")


def test_glare_is_the_applications_business_unless_it_insists(talking: Pair) -> None:
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.bob.session.offer(talking.bob.description, talking.now)
    talking.settle()
    assert talking.alice.events == ["refused 491"]
    talking.advance(10)
    assert talking.alice.events == ["refused 491"]


def test_reinvite_while_one_is_being_answered_is_500_rfc3261_14_2(talking: Pair) -> None:
    talking.bob.at_once = False
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.settle()
    assert talking.said()[-1] == "100 INVITE"
    first = talking.alice.session.inviting
    assert first is not None
    first.final = True  # a phone that does not wait for its answer
    talking.alice.session.negotiation.give_up()
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.settle()
    assert talking.said()[-3:] == ["INVITE", "500 INVITE", "ACK"]
    assert talking.last("SIP/2.0 500").value("Retry-After")


def test_cancel_crosses_the_200_rfc5407_3_1_2(pair: Pair) -> None:
    pair.bob.at_once = False
    pair.alice.call()
    pair.bob.session.progress(180, None, pair.now)
    pair.settle()
    pair.hold = starts("SIP/2.0 200", "CANCEL")
    pair.alice.session.end(pair.now)
    pair.bob.pick_up()
    pair.settle()
    pair.release()
    assert pair.said("alice")[-3:] == ["CANCEL", "ACK", "BYE"]
    assert pair.alice.endings[0].status == 487
    assert pair.bob.endings[0] == (200, True, "")


def test_reinvite_overtakes_the_ack_rfc5407_3_1_4(pair: Pair) -> None:
    """The offer was answered in the 200, so that the re-INVITE itself shows that the 200 came."""
    pair.lose = starts("ACK")
    pair.alice.call()
    pair.alice.session.offer(pair.alice.description, pair.now)
    pair.settle()
    assert "200 INVITE" in pair.said("bob")[1:]
    assert pair.bob.session.established
    assert "answer" in pair.alice.events[2:]


def test_reinvite_overtakes_the_ack_with_the_answer_rfc5407_3_1_5(pair: Pair) -> None:
    pair.hold = starts("ACK")
    pair.alice.call(with_offer=False)
    pair.alice.session.offer(pair.alice.description, pair.now, insist=True)
    pair.settle()
    assert pair.said("bob")[-1] == "491 INVITE"
    pair.release()
    pair.advance(5)
    assert pair.bob.events.count("answer") == 1
    assert pair.alice.events[-1] == "answer"
    assert pair.alice.session.negotiation.state == STABLE


def test_callee_hangs_up_before_the_ack_waits_for_it_rfc3261_15(pair: Pair) -> None:
    pair.hold = starts("ACK")
    pair.alice.call()
    pair.bob.session.end(pair.now)
    pair.settle()
    assert "BYE" not in pair.said("bob")
    pair.release()
    assert pair.said("bob")[-1] == "BYE"
    assert pair.alice.endings[0].by_peer


def test_both_hang_up_at_once_rfc5407_3_2_1(talking: Pair) -> None:
    talking.alice.session.end(talking.now)
    talking.bob.session.end(talking.now)
    talking.settle()
    assert sorted(talking.said()) == ["200 BYE", "200 BYE", "BYE", "BYE"]


def test_reinvite_meets_the_bye_rfc5407_3_2_2(talking: Pair) -> None:
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.bob.session.end(talking.now)
    talking.settle()
    assert "481 INVITE" in talking.said("bob")
    assert len(talking.alice.endings) == len(talking.bob.endings) == 1


def test_answer_of_a_reinvite_meets_the_bye_rfc5407_3_2_4(talking: Pair) -> None:
    talking.hold = starts("SIP/2.0 200")
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.settle()
    talking.alice.session.end(talking.now)
    talking.settle()
    talking.release()
    assert "ACK" in talking.said("alice")
    assert len(talking.alice.endings) == 1


def test_early_bye_of_the_caller_ends_the_invite_rfc5407_3_1_3(pair: Pair) -> None:
    pair.bob.at_once = False
    pair.alice.call()
    pair.bob.session.progress(183, pair.bob.answer_to(pair.bob.session.offered), pair.now)
    pair.settle()
    pair.alice.session.bye("", pair.now)
    pair.settle()
    assert "487 INVITE" in pair.said("bob")
    assert pair.bob.endings[0].status == 487


@pytest.mark.parametrize("lost", ["INVITE", "SIP/2.0 200", "ACK", "SIP/2.0 180"])
def test_one_loss_of_anything_harms_nothing(pair: Pair, lost: str) -> None:
    pair.bob.at_once = False
    left = [1]

    def lose(data: bytes) -> bool:
        if data.startswith(lost.encode()) and left:
            left.pop()
            return True
        return False

    pair.lose = lose
    pair.alice.call()
    pair.advance(1)
    pair.bob.session.progress(180, None, pair.now)
    pair.settle()
    pair.bob.pick_up()
    pair.settle()
    pair.advance(5)
    assert pair.alice.session.established
    assert pair.bob.session.established
    assert pair.alice.events.count("answer") == 1
