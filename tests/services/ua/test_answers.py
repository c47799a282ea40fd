"""What our user agent says to the less usual words of its peer: one wrong answer a test."""

from __future__ import annotations

import pytest

from sipengine.services.ua.composing import answer
from sipengine.sip.offer_answer import STABLE
from tests.services.ua.pair import Pair, starts
from tests.services.ua.test_extensions import early, ringing


def changed(status: bytes, headers: bytes = b"", reason: bytes = b"Changed") -> object:
    """What makes another final answer out of a 200."""

    def change(data: bytes) -> bytes:
        head, _, _ = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")[1:]
        dropped = (b"content-", b"session-expires", b"require")
        kept = [line for line in lines if not line.lower().startswith(dropped)]
        extra = [headers] if headers else []
        start = b"SIP/2.0 %s %s" % (status, reason)
        return b"\r\n".join([start, *kept, *extra, b"Content-Length: 0"]) + b"\r\n\r\n"

    return change


def answered_instead(pair: Pair, change: object) -> None:
    """Bob's 200 that is held back reaches Alice as something else."""
    assert callable(change)
    pair.held = [(party, change(data)) for party, data in pair.held]
    pair.release()


@pytest.mark.parametrize("status", [b"503", b"500", b"403"])
@pytest.mark.parametrize("allow", [True, False])
def test_refresh_refused_for_now_keeps_the_call_rfc5057_5_1(
    talking: Pair, status: bytes, allow: bool
) -> None:
    """By UPDATE and by re-INVITE: only who is gone is hung up."""
    if not allow:
        talking.bob.session.allowed = frozenset()
    talking.hold = starts("SIP/2.0 200")
    talking.advance(867)
    assert talking.held
    answered_instead(talking, changed(status))
    assert not talking.bob.endings
    assert talking.bob.session.free
    assert ("UPDATE" in talking.said("bob")) is allow
    talking.sent.clear()
    talking.advance(910)
    assert "200 UPDATE" in talking.said() or "200 INVITE" in talking.said()


def test_refresh_refused_is_tried_again_before_the_session_expires_rfc4028_10(
    talking: Pair,
) -> None:
    """Else the peer, whose clock runs from the last refresh, would hang up."""
    talking.hold = starts("SIP/2.0 200")
    talking.advance(867)
    answered_instead(talking, changed(b"500"))
    talking.sent.clear()
    talking.advance(460)
    assert "200 UPDATE" in talking.said("alice")


def test_refresh_that_is_always_refused_ends_nothing_and_is_no_flood_rfc4028_10(
    talking: Pair,
) -> None:
    change = changed(b"403")
    assert callable(change)
    talking.hold = starts("SIP/2.0 200")
    for _ in range(400):
        talking.advance(10)
        held, talking.held = talking.held, []
        for party, data in held:
            party.phone.receive(change(data), party.flow, talking.now)
        talking.settle()
    assert not talking.bob.endings
    requests = {data.split(b"CSeq: ")[1][:9] for _, data in talking.sent if b" UPDATE\r" in data}
    assert 8 <= len(requests) < 40


@pytest.mark.parametrize("status", [b"405", b"501"])
def test_update_that_is_allowed_and_refused_gives_way_to_reinvite_rfc4028_7_4(
    talking: Pair, status: bytes
) -> None:
    talking.hold = starts("SIP/2.0 200")
    talking.advance(867)
    answered_instead(talking, changed(status))
    assert talking.said("bob") == ["UPDATE", "INVITE", "ACK"]
    assert talking.bob.session.free


def test_too_small_an_interval_of_who_knows_no_timers_is_made_longer_rfc4028_9(pair: Pair) -> None:
    pair.hold = starts("INVITE")
    pair.alice.agent.interval = 60
    pair.alice.call()
    pair.held = [(to, data.replace(b", timer", b"")) for to, data in pair.held]
    pair.release()
    assert "422 INVITE" not in pair.said()
    assert pair.last("SIP/2.0 200").value("Session-Expires") == "90;refresher=uas"


@pytest.mark.parametrize("status", [b"404", b"410", b"482", b"604"])
def test_answer_by_which_a_dialog_is_over_rfc5057_5_1(talking: Pair, status: bytes) -> None:
    talking.hold = starts("SIP/2.0 200")
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.settle()
    answered_instead(talking, changed(status))
    assert talking.alice.endings
    assert "BYE" in talking.said("alice")


def test_refresh_that_wants_a_longer_interval_rfc4028_7_4(talking: Pair) -> None:
    talking.hold = starts("SIP/2.0 200")
    talking.advance(867)
    answered_instead(talking, changed(b"422", b"Min-SE: 3600", b"Session Interval Too Small"))
    again = talking.last("UPDATE")
    assert talking.said("bob") == ["UPDATE", "UPDATE"]
    assert again.value("Session-Expires") == "3600;refresher=uac"
    assert again.value("Min-SE") == "3600"
    assert talking.said("alice")[-1] == "200 UPDATE"
    talking.bob.session.offer(talking.bob.description, talking.now)
    talking.settle()
    assert talking.last("INVITE").value("Min-SE") == "3600", "remembered for the dialog"


def test_refresh_that_is_refused_again_and_again_is_not_sent_without_end_rfc4028_7_4(
    talking: Pair,
) -> None:
    talking.hold = starts("SIP/2.0 200")
    talking.advance(867)
    for _ in range(5):
        talking.hold = starts("SIP/2.0 200")
        held, talking.held = talking.held, []
        for party, data in held:
            change = changed(b"422", b"Min-SE: 3600")
            assert callable(change)
            party.phone.receive(change(data), party.flow, talking.now)
        talking.settle()
    assert talking.said("bob").count("UPDATE") == 2


def test_min_se_of_a_422_is_in_the_next_invite_rfc4028_7_3(pair: Pair) -> None:
    pair.alice.agent.interval = 60
    pair.alice.call()
    pair.sent.clear()
    pair.alice.session.timer.least = 0
    pair.hold = starts("SIP/2.0 200")
    pair.alice.call()
    answered_instead(pair, changed(b"422", b"Min-SE: 300"))
    again = pair.last("INVITE")
    assert (again.value("Min-SE"), again.value("Session-Expires")) == ("300", "300")


def test_update_answer_moves_the_target_rfc3311_5_1(talking: Pair) -> None:
    talking.hold = starts("SIP/2.0 200")
    talking.advance(867)
    talking.held = [
        (party, data.replace(b"Contact: <sip:", b"Contact: <sip:moved.")) for party, data in talking.held
    ]  # fmt: skip
    talking.release()
    assert talking.bob.session.dialog is not None
    assert "moved." in talking.bob.session.dialog.remote_target


def test_reinvite_of_an_ended_session_is_not_sent_again_rfc3261_15_1_1(talking: Pair) -> None:
    talking.hold = starts("SIP/2.0 200 OK", "SIP/2.0 481")
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.settle()
    held = talking.held
    talking.alice.session.end(talking.now)
    talking.settle()
    talking.held = held[:1]
    answered_instead(talking, changed(b"422", b"Min-SE: 5000"))
    assert talking.said("alice").count("INVITE") == 1


def test_reinvite_does_not_ask_for_reliable_responses_rfc3262_4(talking: Pair) -> None:
    """We would owe each its PRACK; the callee would refuse the change without it."""
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.settle()
    assert "100rel" not in (talking.last("INVITE").value("Supported") or "")


def test_offer_in_a_reliable_response_by_progress_rfc3262_5(pair: Pair) -> None:
    """Who asks for an offer gets it in the first reliable response; its PRACK brings the answer."""
    pair.bob.at_once = False
    pair.alice.call(with_offer=False)
    pair.bob.session.progress(183, pair.bob.description, pair.now)
    pair.settle()
    assert "m=audio 40000" in pair.last("PRACK").body
    assert pair.bob.events == ["invite", "answer"]
    assert pair.bob.session.negotiation.state == STABLE
    pair.bob.session.accept(pair.bob.description, pair.now)
    pair.settle()
    assert not pair.last("SIP/2.0 200 OK").body
    assert pair.alice.session.established


def test_no_offer_in_an_unreliable_response_rfc3261_13_2_1(pair: Pair) -> None:
    pair.bob.at_once = False
    pair.hold = starts("INVITE")
    pair.alice.call(with_offer=False)
    pair.held = [(to, data.replace(b"100rel, ", b"")) for to, data in pair.held]
    pair.release()
    pair.bob.session.progress(183, pair.bob.description, pair.now)
    pair.settle()
    assert not pair.last("SIP/2.0 183").body
    pair.bob.pick_up()
    pair.settle()
    assert pair.alice.session.established


def test_prack_is_answered_before_the_200_that_waits_for_it_rfc3262_3(pair: Pair) -> None:
    pair.hold = starts("PRACK")
    early(pair)
    pair.bob.session.accept(None, pair.now)
    pair.release()
    assert [line for line in pair.said("bob") if line.startswith("200")] == [
        "200 PRACK",
        "200 INVITE",
    ]


@pytest.mark.parametrize("body", ["v=0\r\n", "no description", ""])
def test_prack_without_a_usable_answer_ends_the_call_rfc3262_5(pair: Pair, body: str) -> None:
    """We offered in a reliable response: a call without an answer to it would stay for ever."""
    pair.bob.at_once = False
    pair.alice.call(with_offer=False)
    pair.hold = starts("PRACK")
    pair.bob.session.progress(183, pair.bob.description, pair.now)
    pair.bob.session.accept(None, pair.now)
    pair.settle()
    rack = [("RAck", f"{pair.last('SIP/2.0 183').value('RSeq')} 1 INVITE")]
    pair.held.clear()
    pair.hold = lambda data: False
    pair.alice.session.request("PRACK", rack, pair.now, lambda *_: None, body)
    pair.settle()
    assert any(line.startswith("4") and line.endswith("PRACK") for line in pair.said("bob"))
    assert "200 INVITE" in pair.said("bob"), "it waited for the PRACK"
    pair.advance(40)
    assert pair.bob.endings
    assert pair.alice.endings


@pytest.mark.parametrize("rack", ["+1 1 INVITE", "1 1 BYE", "1 INVITE", "1 2 INVITE", "x"])
def test_prack_of_another_response_is_481_rfc3262_3(pair: Pair, rack: str) -> None:
    pair.hold = starts("PRACK")
    early(pair)
    pair.held.clear()
    number = pair.last("SIP/2.0 183").value("RSeq") or ""
    rack = rack.replace("1 ", f"{number} ", 1) if rack[0] == "1" else rack
    pair.hold = lambda data: False
    pair.alice.session.request("PRACK", [("RAck", rack)], pair.now, lambda *_: None)
    pair.settle()
    assert pair.said("bob")[-1] == "481 PRACK"


def test_rack_is_compared_as_numbers_rfc3262_7_2(pair: Pair) -> None:
    pair.hold = starts("PRACK")
    early(pair)
    pair.held.clear()
    number = pair.last("SIP/2.0 183").value("RSeq") or ""
    pair.hold = lambda data: False
    rack = [("RAck", f"{number:0>10} 01  INVITE")]
    pair.alice.session.request("PRACK", rack, pair.now, lambda *_: None)
    pair.settle()
    assert pair.said("bob")[-1] == "200 PRACK"


def test_update_offer_while_our_reinvite_asks_for_one_is_491_rfc3311_5_2(talking: Pair) -> None:
    talking.bob.at_once = False
    talking.alice.session.offer(None, talking.now)
    talking.settle()
    bob = talking.bob.session
    body = bob.signed(talking.bob.description)
    bob.request("UPDATE", [("Contact", bob.contact)], talking.now, lambda *_: None, body)
    talking.settle()
    assert talking.said("alice")[-1] == "491 UPDATE"
    bob.answer(talking.bob.description, talking.now)
    talking.settle()
    assert talking.alice.events == ["offer"]
    assert talking.alice.session.free


def test_update_offer_before_our_first_is_500_rfc3311_5_1(pair: Pair) -> None:
    """The INVITE asked for an offer: it comes from who is called."""
    pair.bob.at_once = False
    pair.alice.call(with_offer=False)
    pair.bob.session.progress(180, None, pair.now)
    pair.settle()
    alice = pair.alice.session
    assert alice.inviting is not None
    alice.dialog = next(iter(alice.inviting.early.values()))
    body = alice.signed(pair.alice.description)
    alice.request("UPDATE", [("Contact", alice.contact)], pair.now, lambda *_: None, body)
    pair.settle()
    assert pair.said("bob")[-1] == "500 UPDATE"
    assert pair.last("SIP/2.0 500").value("Retry-After")
    pair.bob.pick_up()
    pair.settle()
    assert pair.alice.session.established


@pytest.mark.parametrize("method", ["INFO", "REFER"])
@pytest.mark.parametrize("knows", [False, True])
def test_info_of_no_dialog_ends_the_session_rfc3261_12_2_1_2(
    talking: Pair, method: str, knows: bool
) -> None:
    if knows:
        talking.lose = starts(method)  # it answers only what it has heard of
    else:
        talking.bob.session.tags.clear()  # a phone that was restarted: 481
    lines = [("Refer-To", "<sip:carol@c.test>")] if method == "REFER" else []
    talking.alice.session.request(method, lines, talking.now, lambda *_: None)
    talking.advance(33)
    assert bool(talking.alice.endings) is not knows
    assert "BYE" not in talking.said("alice")


@pytest.mark.parametrize("number", ["0", "2147483648", "99999999999", "-1", "one", ""])
def test_rseq_that_is_none_gets_no_prack_rfc3262_4(pair: Pair, number: str) -> None:
    ringing(pair)
    answering = pair.bob.session.answering
    assert answering is not None
    headers = [("Contact", pair.bob.session.contact), ("Require", "100rel"), ("RSeq", number)]
    data = answer(answering.request, 183, headers, to_tag=pair.bob.session.local_tag)
    pair.alice.phone.receive(data, pair.alice.flow, pair.now)
    pair.settle()
    assert "PRACK" not in pair.said("alice")


class TestReferrals:
    def referred(self, pair: Pair) -> None:
        pair.alice.session.referrals.send("<sip:carol@c.test>", lambda *_: None, pair.now, [])
        pair.settle()

    def test_notify_tells_what_is_left_rfc6665_4_2_2(self, talking: Pair) -> None:
        self.referred(talking)
        talking.advance(60)
        talking.bob.referrals[0].tell(180, talking.now)
        talking.settle()
        assert talking.last("NOTIFY").value("Subscription-State") == "active;expires=120"

    def test_notify_that_is_refused_for_now_is_not_the_end_rfc5057_5_1(self, talking: Pair) -> None:
        talking.hold = starts("SIP/2.0 200")
        self.referred(talking)
        talking.held = talking.held[-1:]
        change = changed(b"500", b"", b"Server Internal Error")
        answered_instead(talking, change)
        assert not talking.bob.referrals[0].done
        talking.bob.referrals[0].tell(200, talking.now)
        talking.settle()
        assert "SIP/2.0 200" in talking.last("NOTIFY").body

    @pytest.mark.parametrize("status", [b"481", b"489", b"405"])
    def test_notify_that_nobody_wants_is_the_end_rfc5057_5_1(
        self, talking: Pair, status: bytes
    ) -> None:
        talking.hold = starts("SIP/2.0 200")
        self.referred(talking)
        talking.held = talking.held[-1:]
        answered_instead(talking, changed(status))
        talking.sent.clear()
        talking.bob.referrals[0].tell(200, talking.now)
        talking.settle()
        assert "NOTIFY" not in talking.said()
        assert not talking.bob.endings, "the call stays"

    def test_referrals_that_are_never_told_of_are_bounded(self, talking: Pair) -> None:
        for _ in range(10):
            self.referred(talking)
            for referral in talking.bob.referrals:
                referral.done = True
        referrals = talking.alice.session.referrals
        assert len(referrals._listeners) == 4

    @pytest.mark.parametrize(
        "lines",
        [
            [("Refer-To", "<sip:c@c.test>"), ("Refer-To", "<sip:d@d.test>")],
            [("Refer-To", "<sip:c@c.test>, <sip:d@d.test>")],
            [("Refer-To", "")],
            [("Refer-To", "<sip:")],
        ],
    )
    def test_not_exactly_one_refer_to_is_400_rfc3515_2_4_2(
        self, talking: Pair, lines: list[tuple[str, str]]
    ) -> None:
        talking.alice.session.request("REFER", lines, talking.now, lambda *_: None)
        talking.settle()
        assert talking.said("bob") == ["400 REFER"]
