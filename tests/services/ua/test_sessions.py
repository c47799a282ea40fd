"""A session comes about, changes and ends (RFC 3261 §13-§15, RFC 3264, RFC 6337)."""

from __future__ import annotations

from sipengine.sip.offer_answer import STABLE
from sipengine.sip.sdp.answering import MIRRORED
from sipengine.sip.sdp.description import Description
from tests.services.ua.pair import Pair, starts


def with_direction(description: Description, direction: str) -> Description:
    """A copy in which every stream that is not refused has that direction: hold and resume (§8.4)."""
    copy = description.copy()
    for stream in copy.streams:
        if stream.port:
            stream.lines = [line for line in stream.lines if MIRRORED.get(line[2:]) is None]
            stream.lines.append(f"a={direction}")
    return copy


def test_13_2_offer_in_invite_answer_in_200(pair: Pair) -> None:
    pair.alice.call()
    assert pair.said() == ["INVITE", "200 INVITE", "ACK"]
    assert pair.alice.events == ["established", "answer"]
    assert pair.bob.events == ["invite", "established"]
    for party in (pair.alice, pair.bob):
        assert party.session.negotiation.state == STABLE
        assert party.session.negotiation.remote is not None


def test_13_2_1_offer_in_200_answer_in_ack(pair: Pair) -> None:
    pair.alice.call(with_offer=False)
    assert pair.said() == ["INVITE", "200 INVITE", "ACK"]
    assert "m=audio 50000" in pair.last("SIP/2.0 200").body
    assert "m=audio 40000" in pair.last("ACK").body
    assert pair.alice.events == ["offer", "established"]
    assert pair.bob.events == ["invite", "established", "answer"]


def test_13_3_1_4_200_is_sent_again_until_the_ack(pair: Pair) -> None:
    pair.lose = starts("ACK")
    pair.alice.call()
    pair.advance(4)
    assert pair.said("bob").count("200 INVITE") == 4  # after 0, 0.5, 1.5 and 3.5 s
    pair.lose = lambda data: False
    pair.advance(10)
    assert pair.said("bob").count("200 INVITE") == 5
    assert pair.bob.session.established


def test_13_3_1_4_bye_when_no_ack_ever_comes(pair: Pair) -> None:
    pair.lose = starts("ACK")
    pair.alice.call()
    pair.advance(33)
    assert pair.said("bob")[-1] == "BYE"
    assert pair.alice.events[-1] == "ended"
    assert "did not confirm" in pair.bob.endings[0].why


def test_15_1_bye_ends_it_on_both_sides(talking: Pair) -> None:
    talking.alice.session.end(talking.now)
    talking.settle()
    assert talking.said() == ["BYE", "200 BYE"]
    assert not talking.alice.endings[0].by_peer
    assert talking.bob.endings[0].by_peer
    talking.advance(40)
    assert not talking.alice.agent.sessions, "nothing is kept"
    assert not talking.bob.agent.sessions
    assert not talking.alice.phone.layer.clients


def test_9_1_cancel_waits_for_a_provisional_answer(pair: Pair) -> None:
    pair.bob.at_once = False
    pair.alice.call()
    pair.alice.session.end(pair.now)
    pair.settle()
    assert "CANCEL" not in pair.said()
    pair.bob.session.progress(180, None, pair.now)
    pair.settle()
    assert pair.said()[-4:] == ["CANCEL", "487 INVITE", "200 CANCEL", "ACK"]
    assert [e.status for e in pair.alice.endings] == [487]
    assert [e.status for e in pair.bob.endings] == [487]


def test_rejected_call_tells_its_status(pair: Pair) -> None:
    pair.bob.at_once = False
    pair.alice.call()
    pair.bob.session.reject(486, pair.now)
    pair.settle()
    assert pair.said() == ["INVITE", "486 INVITE", "ACK"]
    assert pair.alice.endings[0] == (486, True, "")


def test_nobody_there_is_408(pair: Pair) -> None:
    pair.lose = lambda data: True
    pair.alice.call()
    pair.advance(33)
    assert pair.alice.endings[0].status == 408
    assert not pair.alice.endings[0].by_peer


def test_14_1_hold_and_resume_by_direction(talking: Pair) -> None:
    alice = talking.alice.session
    assert alice.negotiation.local is not None
    alice.offer(with_direction(alice.negotiation.local, "sendonly"), talking.now)
    talking.settle()
    assert talking.said() == ["INVITE", "200 INVITE", "ACK"]
    assert "a=recvonly" in talking.last("SIP/2.0 200").body
    assert talking.alice.events == ["answer"]
    alice.offer(with_direction(alice.negotiation.local, "sendrecv"), talking.now)
    talking.settle()
    assert "a=sendrecv" in talking.last("SIP/2.0 200").body


def test_14_2_reinvite_without_offer_asks_for_one(talking: Pair) -> None:
    talking.alice.session.offer(None, talking.now)
    talking.settle()
    assert talking.bob.events == ["offer wanted", "answer"]
    assert talking.alice.events == ["offer"]
    assert "m=audio 40000" in talking.last("ACK").body


def test_14_1_refused_offer_leaves_what_was_agreed(talking: Pair) -> None:
    talking.bob.at_once = False
    before = talking.alice.session.negotiation.remote
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.settle()
    talking.bob.session.refuse(488, talking.now)
    talking.settle()
    assert talking.alice.events == ["refused 488"]
    assert talking.alice.session.negotiation.state == STABLE
    assert talking.alice.session.negotiation.remote is before
    assert talking.alice.session.free


def test_8_o_line_version_rises_with_each_change_rfc3264_8(talking: Pair) -> None:
    alice = talking.alice.session
    assert alice.negotiation.local is not None
    alice.offer(with_direction(alice.negotiation.local, "sendonly"), talking.now)
    talking.settle()
    first = talking.last("INVITE").body.split("\r\n")[1].split()
    alice.offer(with_direction(alice.negotiation.local, "sendonly"), talking.now)
    talking.settle()
    same = talking.last("INVITE").body.split("\r\n")[1].split()
    alice.offer(with_direction(alice.negotiation.local, "sendrecv"), talking.now)
    talking.settle()
    third = talking.last("INVITE").body.split("\r\n")[1].split()
    assert first == same
    assert third[1] == first[1]
    assert int(third[2]) == int(first[2]) + 1


def test_12_2_2_request_out_of_order_is_500(talking: Pair) -> None:
    bob = talking.bob.session
    assert bob.dialog is not None
    bob.dialog.remote_seq = 1000
    talking.alice.session.offer(talking.alice.description, talking.now)
    talking.settle()
    assert talking.said()[:2] == ["INVITE", "500 INVITE"]
    assert talking.alice.events == ["refused 500"]


def test_info_goes_across(talking: Pair) -> None:
    talking.alice.session.request(
        "INFO", [], talking.now, lambda *_: None, "Signal=5", "application/dtmf-relay"
    )
    talking.settle()
    assert talking.said() == ["INFO", "200 INFO"]
    assert talking.bob.events == ["info Signal=5"]


def test_21_5_2_a_word_that_is_no_method_is_501_with_allow(talking: Pair) -> None:
    talking.alice.session.request("DANCE", [], talking.now, lambda *_: None)
    talking.settle()
    assert talking.said() == ["DANCE", "501 DANCE"]
    assert "UPDATE" in (talking.last("SIP/2.0 501").value("Allow") or "")


def test_8_2_2_3_unknown_requirement_is_420(talking: Pair) -> None:
    talking.alice.session.request(
        "INFO", [("Require", "timer, wings")], talking.now, lambda *_: None
    )
    talking.settle()
    assert talking.last("SIP/2.0 420").value("Unsupported") == "wings"


def test_8_2_3_other_body_is_415(talking: Pair) -> None:
    talking.alice.session.request(
        "UPDATE", [], talking.now, lambda *_: None, "x", "application/resource-lists+xml"
    )
    talking.settle()
    assert talking.last("SIP/2.0 415").value("Accept") == "application/sdp"
