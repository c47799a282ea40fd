"""Session descriptions (RFC 8866), answers to them (RFC 3264 §6) and whose turn it is (RFC 6337)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipengine.sip.errors import LocalProtocolError, RemoteProtocolError
from sipengine.sip.offer_answer import ASKED, OFFERED, STABLE, Negotiation, mismatch
from sipengine.sip.sdp import answering
from sipengine.sip.sdp.codecs import codecs_of
from sipengine.sip.sdp.description import (
    INACTIVE,
    RECVONLY,
    SENDONLY,
    SENDRECV,
    Description,
    parse_description,
)

PHONE = """\
v=0
o=alice 53655765 2353687637 IN IP4 198.51.100.1
s=Call
c=IN IP4 198.51.100.1
t=0 0
a=group:BUNDLE a
m=audio 40000 RTP/AVP 9 8 0 101
a=rtpmap:9 G722/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=something:nobody=knows
m=video 40002 RTP/AVP 96
a=rtpmap:96 H264/90000
a=sendonly
"""
PLAIN = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 40000 RTP/AVP 0\n"


def described(text: str) -> Description:
    return parse_description(text.replace("\n", "\r\n"))


def test_rfc8866_5_what_is_not_changed_comes_back_as_it_was() -> None:
    assert str(described(PHONE)) == PHONE.replace("\n", "\r\n")
    assert str(parse_description(PHONE)) == PHONE.replace("\n", "\r\n"), "LF alone is taken too"


def test_rfc8866_5_13_attributes_and_codecs() -> None:
    audio, video = described(PHONE).streams
    assert [codec.name for codec in codecs_of(audio)] == ["G722", "PCMA", "PCMU", "TELEPHONE-EVENT"]
    assert audio.attribute("something") == "nobody=knows"
    assert video.attribute("sendonly") == ""
    assert video.attribute("recvonly") is None


@pytest.mark.parametrize(
    ("change", "direction"),
    [
        ("", SENDRECV),
        ("a=sendonly\n", SENDONLY),
        ("a=recvonly\n", RECVONLY),
        ("a=inactive\n", INACTIVE),
        ("c=IN IP4 0.0.0.0\n", SENDONLY),
        ("c=IN IP4 0.0.0.0\na=recvonly\n", INACTIVE),
    ],
)
def test_rfc3264_8_4_how_a_stream_is_held(change: str, direction: str) -> None:
    description = described(PLAIN + change)
    assert description.direction(description.streams[0]) == direction


def test_rfc3264_5_1_a_direction_of_the_session_holds_for_its_streams() -> None:
    description = described(PLAIN.replace("t=0 0\n", "t=0 0\na=sendonly\n"))
    assert description.direction(description.streams[0]) == SENDONLY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=1\n",
        "o=- 1 1 IN IP4 x\nv=0\n",
        "v=0\ns=-\n",
        "v=0\no=- 1 1\n",
        "v=0\no=- a b IN IP4 x\n",
        PLAIN + "nonsense\n",
        PLAIN + "M=audio 1 RTP/AVP 0\n",
        PLAIN + "m=audio 70000 RTP/AVP 0\n",
        PLAIN + "m=audio\n",
        PLAIN + "c=IN IP4\n",
        PLAIN + "a=x\0y\n",
    ],
)
def test_rfc8866_9_broken_descriptions_are_400(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        described(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "much", ["a=x\n" * 2000, "a=" + "x" * 40_000 + "\n", "m=audio 1 RTP/AVP 0\n" * 40]
)
def test_huge_descriptions_are_413(much: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        described(PLAIN + much)
    assert caught.value.status == 413


@given(st.text(alphabet="vosctma=0 1/:.INP4audioRTVAW\r\n-\0ä", max_size=300))
def test_nothing_but_a_protocol_error_comes_of_any_text(text: str) -> None:
    for candidate in (text, PLAIN + text):
        try:
            description = parse_description(candidate)
            answering.answer(description, "192.0.2.9", 2000)
        except RemoteProtocolError:
            continue


# -- answers


def test_rfc3264_6_one_stream_is_spoken_the_others_refused() -> None:
    offer = described(PHONE)
    ours, agreed = answering.answer(offer, "192.0.2.9", 20000)
    assert mismatch(offer, ours) == ""
    assert [stream.media_line for stream in ours.streams] == [
        "m=audio 20000 RTP/AVP 8 101",
        "m=video 0 RTP/AVP 96",
    ]
    assert agreed == ("198.51.100.1", 40000, (8, "PCMA", 8000), True, True)


@pytest.mark.parametrize(
    ("theirs", "ours", "sends", "receives"),
    [
        (SENDRECV, SENDRECV, True, True),
        (SENDONLY, RECVONLY, False, True),
        (RECVONLY, SENDONLY, True, False),
        (INACTIVE, INACTIVE, False, False),
    ],
)
def test_rfc3264_6_1_directions_are_mirrored(
    theirs: str, ours: str, sends: bool, receives: bool
) -> None:
    answer, agreed = answering.answer(described(f"{PLAIN}a={theirs}\n"), "192.0.2.9", 20000)
    assert answer.direction(answer.streams[0]) == ours
    assert (agreed.sends, agreed.receives) == (sends, receives)


@pytest.mark.parametrize(
    "stream",
    [
        "m=audio 40000 RTP/AVP 9\n",
        "m=audio 40000 RTP/SAVP 0\n",
        "m=audio 0 RTP/AVP 0\n",
        "m=video 40000 RTP/AVP 0\n",
        "m=audio 40000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n",
        "m=audio 40000 RTP/AVP 96\na=rtpmap:96 PCMU/16000\n",
    ],
)
def test_rfc3264_6_nothing_to_speak_is_488(stream: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        answering.answer(described(PLAIN.partition("m=")[0] + stream), "192.0.2.9", 20000)
    assert caught.value.status == 488


def test_rfc3725_4_3_a_held_answer_takes_every_stream_and_moves_nothing() -> None:
    offer = described(PHONE)
    held = answering.held_answer(offer)
    assert mismatch(offer, held) == ""
    assert [stream.port for stream in held.streams] == [9, 9]
    assert {stream.attribute("inactive") for stream in held.streams} == {""}


# -- whose turn

STEPS = {
    "offer": lambda n: n.send_offer(described(PLAIN)),
    "answer": lambda n: n.send_answer(described(PLAIN)),
    "their offer": lambda n: n.receive_offer(described(PLAIN)),
    "their answer": lambda n: n.receive_answer(described(PLAIN)),
}


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        (["offer", "their answer"], STABLE),
        (["their offer", "answer"], STABLE),
        (["offer", "their answer", "their offer", "answer", "offer"], OFFERED),
        (["their offer"], ASKED),
    ],
)
def test_rfc6337_2_turns_that_are_allowed(steps: list[str], state: int) -> None:
    negotiation = Negotiation()
    for step in steps:
        STEPS[step](negotiation)
    assert negotiation.state == state


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (["offer", "their offer"], 491),
        (["their offer", "their offer"], 500),
        (["their answer"], 400),
        (["their offer", "their answer"], 400),
    ],
)
def test_rfc3311_5_2_turns_of_the_peer_that_are_refused(steps: list[str], status: int) -> None:
    negotiation = Negotiation()
    for step in steps[:-1]:
        STEPS[step](negotiation)
    before = negotiation.state
    with pytest.raises(RemoteProtocolError) as caught:
        STEPS[steps[-1]](negotiation)
    assert caught.value.status == status
    assert negotiation.state == before


@pytest.mark.parametrize("steps", [["offer", "offer"], ["their offer", "offer"]])
def test_turns_of_ours_that_are_defects(steps: list[str]) -> None:
    negotiation = Negotiation()
    STEPS[steps[0]](negotiation)
    with pytest.raises(LocalProtocolError):
        STEPS[steps[1]](negotiation)


def test_rfc3264_8_an_offer_may_not_lose_a_stream() -> None:
    negotiation = Negotiation()
    negotiation.receive_offer(described(PHONE))
    negotiation.send_answer(answering.held_answer(described(PHONE)))
    with pytest.raises(RemoteProtocolError) as caught:
        negotiation.receive_offer(described(PLAIN))
    assert caught.value.status == 488


@pytest.mark.parametrize(
    "answer",
    [
        PLAIN + "m=audio 1 RTP/AVP 0\n",
        PLAIN.replace("m=audio", "m=video"),
        PLAIN.partition("m=")[0],
    ],
)
def test_rfc3264_6_an_answer_that_does_not_fit_agrees_nothing(answer: str) -> None:
    negotiation = Negotiation()
    negotiation.send_offer(described(PLAIN))
    with pytest.raises(RemoteProtocolError):
        negotiation.receive_answer(described(answer))
    assert negotiation.state == STABLE
    assert negotiation.local is None
