"""Cutting streams into messages: tables, every segmentation, what ends a stream (RFC 3261 §18.3)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipengine.net import framing
from sipengine.net.framing import StreamFramer
from sipengine.sip.parser import MAX_HEAD, MAX_MESSAGE

START = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n"


def message(length_line: bytes, body: bytes = b"") -> bytes:
    return START + length_line + b"\r\nCSeq: 1 OPTIONS\r\n\r\n" + body


WHOLE = {
    "no body": message(b"Content-Length: 0"),
    "a body": message(b"Content-Length: 5", b"hello"),
    "a body of newlines": message(b"Content-Length: 8", b"\r\n\r\n\r\n\r\n"),
    "a body that looks like a message": message(b"Content-Length: %d" % len(START), START),
    "compact form": message(b"l: 5", b"hello"),
    "compact form, capital": message(b"L:5", b"hello"),
    "lower case": message(b"content-length: 5", b"hello"),
    "space before the colon": message(b"Content-Length  : 5", b"hello"),
    "spaces around the value": message(b"CONTENT-LENGTH:   5  ", b"hello"),
    "folded value": message(b"Content-Length:\r\n 5", b"hello"),
    "tab-folded value": message(b"Content-Length: \r\n\t5", b"hello"),
    "leading zeros": message(b"Content-Length: 0005", b"hello"),
    "named in another header": message(
        b"Subject: Content-Length: 7\r\n Content-Length: 9\r\nContent-Length: 5", b"hello"
    ),
    "none: the core refuses it": START + b"\r\n",
    "two: the core refuses it": message(b"Content-Length: 5\r\nl: 5", b"hello"),
    "a response": b"SIP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "another version: the core answers 505": b"INVITE sip:a SIP/7.0\r\nContent-Length: 0\r\n\r\n",
    "a binary body": message(b"Content-Length: 256", bytes(range(256))),
}
cases = pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())


@cases
def test_rfc3261_18_3_whole(data: bytes) -> None:
    framer = StreamFramer()
    assert framer.feed(data) == [data]
    assert (framer.fault, framer.partial, framer.pings) == ("", False, 0)


@cases
def test_rfc3261_18_3_byte_by_byte(data: bytes) -> None:
    framer = StreamFramer()
    found = [m for at in range(len(data)) for m in framer.feed(data[at : at + 1])]
    assert found == [data]
    assert (framer.fault, framer.partial, framer.pings) == ("", False, 0)


@cases
def test_rfc3261_18_3_with_trailing_data(data: bytes) -> None:
    framer = StreamFramer()
    assert framer.feed(data + data + data[:10]) == [data, data]
    assert framer.partial
    assert framer.feed(data[10:]) == [data]
    assert not framer.partial


PARTS = st.lists(
    st.sampled_from([*WHOLE.values(), b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n"]), max_size=8
)


@given(PARTS, st.lists(st.integers(0, 2000), max_size=12))
def test_any_segmentation_gives_the_same_messages_and_pings(
    parts: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(parts)
    whole, cut = StreamFramer(), StreamFramer()
    expected = whole.feed(data)
    places = sorted({min(place, len(data)) for place in cuts} | {0, len(data)})
    found = [m for a, b in itertools.pairwise(places) for m in cut.feed(data[a:b])]
    assert found == expected == [part for part in parts if part.strip()]
    assert (cut.pings, cut.fault, cut.partial) == (whole.pings, "", False)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_nothing_that_a_peer_sends_raises_or_is_kept_beyond_its_limit(pieces: list[bytes]) -> None:
    framer = StreamFramer()
    for piece in pieces:
        for found in framer.feed(piece):
            assert len(found) <= MAX_MESSAGE
        assert not (framer.fault and framer.partial)


PINGS = [
    (b"\r\n\r\n", 1),
    (b"\r\n", 0),
    (b"\r\n\r\n\r\n", 1),
    (b"\r\n\r\n\r\n\r\n", 2),
    (WHOLE["no body"] + b"\r\n\r\n", 1),
    (b"\r\n" + WHOLE["no body"] + b"\r\n", 0),
    (b"\r\n\r\n" + WHOLE["a body"] + b"\r\n\r\n" + WHOLE["a body"], 2),
]


@pytest.mark.parametrize(("data", "pings"), PINGS)
def test_rfc5626_4_4_1_two_empty_lines_are_a_ping_however_they_come(
    data: bytes, pings: int
) -> None:
    whole, pieces = StreamFramer(), StreamFramer()
    whole.feed(data)
    for at in range(len(data)):
        pieces.feed(data[at : at + 1])
    assert whole.pings == pieces.pings == pings


NOT_SIP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\0\0\0\0",
    b"\xff" * 40,
    b"hello\r\n",
    b" INVITE sip:a SIP/2.0\r\n",
    b"<xml>",
]


@pytest.mark.parametrize("data", NOT_SIP)
def test_a_stream_that_is_not_sip_ends_at_once(data: bytes) -> None:
    framer = StreamFramer()
    assert framer.feed(data) == []
    assert framer.fault == framing.NOT_SIP
    assert framer.feed(WHOLE["a body"]) == []


@pytest.mark.parametrize("data", NOT_SIP[:3] + NOT_SIP[4:])
def test_a_stream_that_is_not_sip_ends_when_it_comes_byte_by_byte(data: bytes) -> None:
    framer = StreamFramer()
    for at in range(len(data)):
        assert framer.feed(data[at : at + 1]) == []
    assert framer.fault == framing.NOT_SIP


@pytest.mark.parametrize("length", [b"-1", b"x", b"5x", b"", b"1 2", b"9999999999", b"0x10"])
def test_rfc3261_20_14_a_broken_length_gives_the_head_to_answer_and_ends(length: bytes) -> None:
    framer = StreamFramer()
    broken = message(b"Content-Length: " + length)
    assert framer.feed(WHOLE["a body"] + broken + b"hello") == [WHOLE["a body"], broken]
    assert framer.fault == framing.BROKEN_LENGTH


def test_rfc3261_21_5_7_a_message_too_large_gives_its_head_to_answer_and_ends() -> None:
    framer = StreamFramer()
    large = message(b"Content-Length: %d" % MAX_MESSAGE)
    assert framer.feed(large + b"x" * 100) == [large]
    assert framer.fault == framing.MESSAGE_TOO_LARGE


def test_the_largest_message_passes_and_one_byte_more_does_not() -> None:
    head = len(message(b"Content-Length: 65000"))
    largest = message(b"Content-Length: %d" % (MAX_MESSAGE - head), b"x" * (MAX_MESSAGE - head))
    assert StreamFramer().feed(largest) == [largest]
    framer = StreamFramer()
    framer.feed(message(b"Content-Length: %d" % (MAX_MESSAGE - head + 1)))
    assert framer.fault == framing.MESSAGE_TOO_LARGE


def test_a_head_that_never_ends_is_cut_at_its_limit() -> None:
    framer = StreamFramer()
    endless = START + b"X: " + b"y" * MAX_HEAD
    found = [m for at in range(0, len(endless), 100) for m in framer.feed(endless[at : at + 100])]
    assert found == [endless[:MAX_HEAD]]
    assert framer.fault == framing.HEAD_TOO_LARGE
    assert not framer.partial


@pytest.mark.parametrize("size", [MAX_HEAD - 1, MAX_HEAD])
def test_the_largest_head_passes_whole_and_in_pieces(size: int) -> None:
    filler = size - len(START) - len(b"X: \r\nl: 0\r\n\r\n")
    head = START + b"X: " + b"y" * filler + b"\r\nl: 0\r\n\r\n"
    assert len(head) == size
    for step in (size, 1000, 7):
        framer = StreamFramer()
        assert [m for at in range(0, size, step) for m in framer.feed(head[at : at + step])] == [
            head
        ]
