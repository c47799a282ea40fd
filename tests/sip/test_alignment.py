"""Descriptions of one dialog in the order of another (RFC 3725 §5)."""

from __future__ import annotations

from sipengine.sip.offer_answer import mismatch
from sipengine.sip.sdp.alignment import align, align_answer
from sipengine.sip.sdp.answering import held_answer
from sipengine.sip.sdp.description import Description, parse_description

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"


def of(*streams: str) -> Description:
    return parse_description(HEAD + "".join(f"m={s} RTP/AVP 0\r\n" for s in streams))


def lines(description: Description) -> list[str]:
    return [f"{stream.kind} {stream.port}" for stream in description.streams]


def test_rfc3725_5_streams_take_the_places_they_had() -> None:
    aligned, origins = align(of("audio 10", "video 12"), of("video 2", "audio 4"))
    assert lines(aligned) == ["video 12", "audio 10"]
    assert origins == [1, 0]


def test_rfc3264_8_what_is_not_offered_any_more_is_refused_not_left_out() -> None:
    aligned, origins = align(of("audio 10"), of("video 2", "audio 4"))
    assert lines(aligned) == ["video 0", "audio 10"]
    assert origins == [-1, 0]


def test_new_streams_come_behind() -> None:
    aligned, _ = align(of("video 12", "audio 10"), of("audio 4"))
    assert lines(aligned) == ["audio 10", "video 12"]


def test_the_answer_fits_the_offer_as_it_came() -> None:
    for offer, before in (
        (of("audio 10", "video 12"), of("video 2", "audio 4")),
        (of("audio 10"), of("video 2", "audio 4")),
        (of("video 12", "audio 10"), of("audio 4")),
        (of("audio 10"), None),
    ):
        aligned, origins = align(offer, before)
        answer = held_answer(aligned)
        assert mismatch(offer, align_answer(answer, origins, offer)) == ""
