"""Reliable provisional responses, UPDATE, session timers, REFER (RFC 3262, 3311, 4028, 3515)."""

from __future__ import annotations

import pytest

from sipengine.sip.offer_answer import STABLE
from tests.services.ua.pair import Pair, starts


def ringing(pair: Pair) -> None:
    pair.bob.at_once = False
    pair.alice.call()


def early(pair: Pair) -> None:
    """Bob answers in a reliable 183."""
    ringing(pair)
    bob = pair.bob.session
    bob.progress(183, pair.bob.answer_to(bob.offered), pair.now)
    pair.settle()


def test_early_media_is_answered_reliably_rfc3262_3(pair: Pair) -> None:
    early(pair)
    assert pair.said() == ["INVITE", "183 INVITE", "PRACK", "200 PRACK"]
    progress = pair.last("SIP/2.0 183")
    assert progress.value("Require") == "100rel"
    assert pair.last("PRACK").value("RAck") == f"{progress.value('RSeq')} 1 INVITE"
    assert pair.alice.events == ["answer", "183"]
    assert pair.alice.session.negotiation.state == STABLE
    pair.bob.session.accept(None, pair.now)
    pair.settle()
    assert not pair.last("SIP/2.0 200 OK").body
    assert pair.alice.session.established
    assert pair.alice.events.count("answer") == 1


def test_reliable_response_is_sent_again_until_its_prack_rfc3262_3(pair: Pair) -> None:
    pair.lose = starts("PRACK")
    early(pair)
    pair.advance(4)
    assert pair.said("bob").count("183 INVITE") == 4
    assert pair.said("alice").count("PRACK") >= 4, "by the transaction's own retransmission"
    assert pair.alice.events == ["answer", "183"], "the repeated 183 is no news"


def test_no_prack_ends_the_call_rfc3262_3(pair: Pair) -> None:
    pair.lose = starts("PRACK")
    early(pair)
    pair.advance(33)
    assert "504 INVITE" in pair.said("bob")
    assert pair.alice.endings[0].status == 504
    assert pair.bob.endings[0].status == 504


def test_200_waits_for_the_prack_of_its_answer_rfc3262_3(pair: Pair) -> None:
    pair.hold = starts("PRACK")
    early(pair)
    pair.bob.session.accept(None, pair.now)
    pair.settle()
    assert "200 INVITE" not in pair.said("bob")
    pair.release()
    assert "200 INVITE" in pair.said("bob")
    assert pair.alice.session.established


def test_prack_of_nothing_is_481_rfc3262_3(pair: Pair) -> None:
    early(pair)
    pair.alice.session.request("PRACK", [("RAck", "99 1 INVITE")], pair.now, lambda *_: None)
    pair.settle()
    assert pair.said()[-2:] == ["PRACK", "481 PRACK"]


def test_offer_in_a_reliable_response_is_answered_in_the_prack_rfc3262_5(pair: Pair) -> None:
    pair.bob.at_once = False
    pair.alice.call(with_offer=False)
    bob = pair.bob.session
    bob.negotiation.send_offer(pair.bob.description)
    assert bob.answering is not None
    bob.answering.progress(183, bob.signed(pair.bob.description), pair.now)
    pair.settle()
    assert "m=audio 40000" in pair.last("PRACK").body
    assert pair.alice.events[0] == "offer"
    assert pair.bob.events == ["invite", "answer"]
    bob.accept(None, pair.now)
    pair.settle()
    assert pair.alice.session.established


def test_update_changes_an_early_session_rfc3311_5_1(pair: Pair) -> None:
    early(pair)
    pair.bob.at_once = True
    pair.alice.session.offer(pair.alice.description, pair.now)
    pair.settle()
    assert pair.said()[-2:] == ["UPDATE", "200 UPDATE"]
    assert pair.alice.events[-1] == "answer"


def test_update_with_an_offer_while_one_is_open_is_500_rfc3311_5_2(pair: Pair) -> None:
    ringing(pair)
    pair.bob.session.progress(180, None, pair.now)
    pair.settle()
    alice = pair.alice.session
    assert alice.inviting is not None
    alice.dialog = next(iter(alice.inviting.early.values()))
    body = alice.signed(pair.alice.description)
    alice.request("UPDATE", [("Contact", alice.contact)], pair.now, lambda *_: None, body)
    pair.settle()
    assert pair.said()[-1] == "500 UPDATE"
    assert pair.last("SIP/2.0 500").value("Retry-After")


def test_updates_with_offers_cross_both_491_rfc3311_5_2(pair: Pair) -> None:
    early(pair)
    pair.alice.session.offer(pair.alice.description, pair.now)
    pair.bob.session.offer(pair.bob.description, pair.now)
    pair.settle()
    assert pair.said()[-2:] == ["491 UPDATE", "491 UPDATE"]


# -- RFC 4028


def test_session_is_refreshed_at_half_its_interval_rfc4028_10(pair: Pair) -> None:
    pair.alice.call()
    pair.sent.clear()
    pair.advance(899)
    assert pair.said() == []
    pair.advance(2)
    assert pair.said() == ["UPDATE", "200 UPDATE"]
    pair.advance(900)
    assert pair.said().count("UPDATE") == 2
    assert pair.alice.session.established
    assert not pair.alice.session.ended


def test_refresh_by_reinvite_where_update_is_unknown_rfc4028_7_4(pair: Pair) -> None:
    pair.alice.call()
    pair.bob.session.allowed = frozenset(["INVITE", "ACK", "BYE"])
    pair.sent.clear()
    pair.advance(905)
    assert pair.said() == ["INVITE", "200 INVITE", "ACK"]
    before, after = pair.last("INVITE").body, pair.bob.session.signed(pair.bob.description)
    assert before.split("\r\n")[0] == after.split("\r\n")[0]
    assert "answer" not in pair.bob.events, "a refresh changes nothing"


def test_phone_that_vanished_is_found_out_by_the_refresh_rfc4028_10(pair: Pair) -> None:
    pair.alice.call()
    pair.lose = lambda data: True
    pair.advance(900 + 33)
    assert pair.bob.endings, "the refresher noticed first"
    assert "does not answer any more" in pair.bob.endings[0].why


def test_side_that_waits_for_refreshes_ends_the_session_itself_rfc4028_10(pair: Pair) -> None:
    pair.alice.call()
    assert pair.alice.session.timer.agreement == (1800, False)
    assert pair.bob.session.timer.agreement == (1800, True)
    pair.lose = lambda data: True
    pair.advance(1800 - 32 + 10)
    assert "did not renew" in pair.alice.endings[0].why


def test_too_small_an_interval_is_422_and_tried_again_rfc4028_9(pair: Pair) -> None:
    pair.alice.agent.interval = 60
    pair.alice.call()
    assert pair.said() == ["INVITE", "422 INVITE", "ACK", "INVITE", "200 INVITE", "ACK"]
    assert pair.last("SIP/2.0 422").value("Min-SE") == "90"
    assert pair.alice.session.timer.agreement == (90, False)


@pytest.mark.parametrize("broken", ["abc", "-5", "99999999999"])
def test_broken_session_expires_is_400(pair: Pair, broken: str) -> None:
    pair.alice.call()
    headers = [("Session-Expires", broken)]
    pair.alice.session.request("UPDATE", headers, pair.now, lambda *_: None)
    pair.settle()
    assert pair.said()[-1] == "400 UPDATE"
    assert not pair.bob.session.ended


# -- RFC 3515


def test_refer_is_accepted_and_its_progress_told_rfc3515_2_4(talking: Pair) -> None:
    heard: list[tuple[int, bool]] = []
    talking.alice.session.referrals.send(
        "<sip:carol@c.test>",
        lambda status, over, now: heard.append((status, over)),
        talking.now,
        [],
    )
    talking.settle()
    assert talking.said() == ["REFER", "202 REFER", "NOTIFY", "200 NOTIFY"]
    assert heard == [(100, False)]
    assert talking.bob.events == ["refer sip:carol@c.test"]
    talking.bob.referrals[0].tell(180, talking.now)
    talking.bob.referrals[0].tell(200, talking.now)
    talking.settle()
    assert heard == [(100, False), (180, False), (200, True)]
    last = talking.last("NOTIFY")
    assert last.value("Subscription-State") == "terminated;reason=noresource"
    assert last.value("Content-Type") == "message/sipfrag;version=2.0"
    assert last.body == "SIP/2.0 200 OK\r\n"


def test_refused_refer_leaves_no_subscription_rfc3515_2_4_2(talking: Pair) -> None:
    heard: list[tuple[int, bool]] = []
    talking.bob.refer_status = 603
    talking.alice.session.referrals.send(
        "<sip:carol@c.test>",
        lambda status, over, now: heard.append((status, over)),
        talking.now,
        [],
    )
    talking.settle()
    assert heard == [(603, True)]
    assert "NOTIFY" not in talking.said()


def test_refer_without_target_is_400_rfc3515_2_4_2(talking: Pair) -> None:
    talking.alice.session.request("REFER", [], talking.now, lambda *_: None)
    talking.settle()
    assert talking.said() == ["REFER", "400 REFER"]


def test_notify_of_no_subscription_is_481_of_another_event_489_rfc3515_2_4_4(talking: Pair) -> None:
    for event, status in (("refer;id=7", "481 NOTIFY"), ("presence", "489 NOTIFY")):
        headers = [("Event", event), ("Subscription-State", "active")]
        talking.bob.session.request("NOTIFY", headers, talking.now, lambda *_: None)
        talking.settle()
        assert talking.said()[-1] == status
    assert not talking.alice.session.ended


def test_referral_nobody_finishes_is_told_as_over(talking: Pair) -> None:
    heard: list[tuple[int, bool]] = []
    talking.alice.session.referrals.send(
        "<sip:carol@c.test>",
        lambda status, over, now: heard.append((status, over)),
        talking.now,
        [],
    )
    talking.settle()
    talking.advance(181)
    assert heard[-1] == (503, True)
