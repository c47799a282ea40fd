"""Messages as bytes: whole, with more behind them, cut anywhere; every spelling of a header (RFC 3261 §7, §18.3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message, split_list, tag_of
from sipengine.sip.parser import MAX_HEAD, MAX_HEADER_LINES, parse, salvage

REQUEST = (
    b"INVITE sip:bob@biloxi.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8\r\n"
    b"Via: SIP/2.0/UDP p2.atlanta.com;branch=z9hG4bK77ef4c\r\n"
    b"To: Bob <sip:bob@biloxi.com>\r\n"
    b"From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
    b"Call-ID: a84b4c76e66710\r\n"
    b"CSeq: 314159 INVITE\r\n"
    b"Max-Forwards: 70\r\n"
    b"Route: <sip:a;lr>, <sip:b;lr>\r\n"
    b"Route: <sip:c;lr>\r\n"
    b"Contact: <sip:alice@pc33.atlanta.com>\r\n"
    b"X-Odd:   two  blanks\t \r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 8\r\n"
    b"\r\n"
    b"v=0\r\n\x00\xff\xe9"
)
RESPONSE = (
    b"SIP/2.0 180 Ringing in UTF-8 \xc3\xa9\r\n"
    b"v: SIP/2.0/UDP h;branch=z9hG4bK1\r\nt: <sip:b@h>;tag=2\r\nf: <sip:a@h>;tag=1\r\n"
    b"i: c\r\nCSeq: 1 INVITE\r\nl: 0\r\n\r\n"
)
FOLDED = (
    b"OPTIONS sip:h SIP/2.0\r\nVia  :  SIP/2.0/UDP\r\n  h\r\n\t;branch=z9hG4bK1\r\n"
    b"TO :\r\n sip:b@h\r\nfRoM: <sip:a@h>\r\n ;\r\n tag = 1\r\nCALL-id:  c \r\ncseq: 7\r\n  OPTIONS\r\n\r\n"
)
CASES = {"request": REQUEST, "response": RESPONSE, "folded": FOLDED}


@pytest.mark.parametrize("data", CASES.values(), ids=CASES.keys())
class TestEachCase:
    def test_whole(self, data: bytes) -> None:
        message = parse(data)
        assert message.call_id
        assert message.lines[0] == data.split(b"\r\n")[0].decode("latin-1")

    def test_parse_and_encode_are_inverse(self, data: bytes) -> None:
        once = parse(data).encode()
        assert parse(once).encode() == once
        if b"\r\n " not in data and b"\r\n\t" not in data:
            assert once == data

    def test_18_3_with_trailing_data(self, data: bytes) -> None:
        message = parse(data + b"INVITE sip:x SIP/2.0\r\n\r\n")
        if b"ength" in data or b"\r\nl:" in data:
            assert message.encode() == data
        else:
            assert message.body == "INVITE sip:x SIP/2.0\r\n\r\n"

    @pytest.mark.parametrize("stream", [False, True])
    def test_18_3_cut_at_every_byte(self, data: bytes, stream: bool) -> None:
        for end in range(len(data)):
            try:
                message = parse(data[:end], stream)
            except RemoteProtocolError as error:
                assert 400 <= error.status < 600  # noqa: PT017
                assert error.reason.isascii()  # noqa: PT017
            else:
                assert isinstance(message, Message)
                assert not message.has("Content-Length")  # only without one can the body be shorter
            salvage(data[:end])

    def test_7_5_empty_lines_in_front_are_ignored(self, data: bytes) -> None:
        assert parse(b"\r\n\r\n\r\n" + data).encode() == parse(data).encode()

    def test_every_byte_changed(self, data: bytes) -> None:
        for at in range(len(data)):
            for byte in b'\x00\r\n :;,<>"\xff':
                spoilt = data[:at] + bytes([byte]) + data[at + 1 :]
                try:
                    parse(spoilt)
                except RemoteProtocolError as error:
                    assert 400 <= error.status < 600  # noqa: PT017


class TestValues:
    def test_request(self) -> None:
        message = parse(REQUEST)
        assert (message.method, message.uri, message.status) == ("INVITE", "sip:bob@biloxi.com", 0)
        assert (message.call_id, message.cseq) == ("a84b4c76e66710", 314159)
        assert (message.from_tag, message.to_tag) == ("1928301774", "")
        assert message.value("X-Odd") == "two  blanks"
        assert message.body.encode("latin-1") == b"v=0\r\n\x00\xff\xe9"
        assert message.has("Route")
        assert not message.has("Expires")
        assert message.value("Expires") is None

    def test_response(self) -> None:
        message = parse(RESPONSE)
        assert (message.status, message.method, message.uri) == (180, "", "")
        assert message.value("Via") == "SIP/2.0/UDP h;branch=z9hG4bK1"
        assert message.value("Content-Length") == "0"
        assert message.to_tag == "2"

    def test_7_3_1_folding_odd_case_and_blanks(self) -> None:
        message = parse(FOLDED)
        assert message.value("Via") == "SIP/2.0/UDP h ;branch=z9hG4bK1"
        assert message.value("To") == "sip:b@h"
        assert message.from_tag == "1"
        assert message.call_id == "c"
        assert message.cseq == 7

    def test_7_3_1_several_values_in_one_line_are_as_in_many(self) -> None:
        message = parse(REQUEST)
        assert message.all("Route") == ["<sip:a;lr>", "<sip:b;lr>", "<sip:c;lr>"]
        assert message.whole_lines("Route") == ["<sip:a;lr>, <sip:b;lr>", "<sip:c;lr>"]
        assert message.all("Expires") == []
        assert message.whole_lines("Expires") == []

    def test_replace_puts_lines_where_the_first_stood(self) -> None:
        message = parse(REQUEST)
        message.replace("Route", ["<sip:x>", "<sip:y>"])
        assert message.all("Route") == ["<sip:x>", "<sip:y>"]
        names = message.names
        assert names.index("Route") == names.index("Max-Forwards") + 1
        message.replace("Route", [])
        assert not message.has("Route")
        message.replace("New", ["1"])
        assert parse(message.encode()).value("New") == "1"

    def test_set_uri(self) -> None:
        message = parse(REQUEST)
        message.set_uri("sip:x")
        assert parse(message.encode()).uri == "sip:x"

    @pytest.mark.parametrize("version", ["SIP/2.0", "sip/2.0", "Sip/2.0"])
    def test_7_1_the_version_in_any_case(self, version: str) -> None:
        assert (
            parse(REQUEST.replace(b"SIP/2.0\r\n", version.encode() + b"\r\n", 1)).method == "INVITE"
        )
        assert parse(RESPONSE.replace(b"SIP/2.0", version.encode(), 1)).status == 180

    @pytest.mark.parametrize("line", [b"SIP/2.0 200 ", b"SIP/2.0 200", b"SIP/2.0 200  OK"])
    def test_7_2_the_reason_may_be_empty(self, line: bytes) -> None:
        assert parse(RESPONSE.replace(RESPONSE.split(b"\r\n")[0], line)).status == 200


BAD = [
    (b"CSeq: 314159 INVITE", b"CSeq: x INVITE", "CSeq"),
    (b"CSeq: 314159 INVITE", b"CSeq: 314159 BYE", "CSeq"),
    (b"CSeq: 314159 INVITE", b"CSeq: 314159", "CSeq"),
    (b"CSeq: 314159 INVITE", b"CSeq: 2147483648 INVITE", "CSeq"),
    (b"CSeq: 314159 INVITE", b"CSeq: " + b"9" * 6000 + b" INVITE", "CSeq"),
    (b"CSeq: 314159 INVITE", b"CSeq: \xb2 INVITE", "CSeq"),
    (b"CSeq: 314159 INVITE", b"CSeq:", "CSeq"),
    (b"Call-ID: a84b4c76e66710", b"Call-ID:", "Call-ID"),
    (b"Content-Length: 8", b"Content-Length: 9", "Content-Length"),
    (b"Content-Length: 8", b"Content-Length: -8", "Content-Length"),
    (b"Content-Length: 8", b"Content-Length: \xb2", "Content-Length"),
    (b"Content-Length: 8", b"Content-Length: 8, 8", "Content-Length"),
    (b"Content-Length: 8", b"Content-Length:", "Content-Length"),
    (b"Content-Length: 8", b"Content-Length: 8\r\nl: 8", "Content-Length"),
    (b"Content-Type", b"Via", ""),
    (b"X-Odd:", b"X Odd:", "header"),
    (b"X-Odd:", b"X-Odd", "colon"),
    (b"X-Odd:", b":", "header"),
    (b"X-Odd:", b"X-\xe9:", "header"),
    (b"INVITE sip", b"INV\xcfTE sip", "request line"),
    (b"INVITE sip", b" INVITE sip", "request line"),
    (b"SIP/2.0\r\n", b"SIP/2.0 \r\n", "request line"),
    (b"SIP/2.0\r\n", b"SIP/2.1\r\n", "Version"),
    (b"SIP/2.0\r\n", b"HTTP/1.1\r\n", "request line"),
]


@pytest.mark.parametrize(("old", "new", "words"), BAD)
def test_what_is_broken_is_named(old: bytes, new: bytes, words: str) -> None:
    data = REQUEST.replace(old, new, 1)
    if not words:
        parse(data)  # a third Via is fine
        return
    with pytest.raises(RemoteProtocolError, match=words):
        parse(data)


@pytest.mark.parametrize(
    "name", ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type"]
)
def test_7_3_1_headers_that_may_stand_once(name: str) -> None:
    line = next(line for line in REQUEST.split(b"\r\n") if line.startswith(name.encode() + b":"))
    with pytest.raises(RemoteProtocolError, match=f"more than one {name}"):
        parse(REQUEST.replace(line, line + b"\r\n" + line))


def test_20_14_a_stream_needs_a_content_length() -> None:
    data = REQUEST.replace(b"Content-Length: 8\r\n", b"")
    assert parse(data).body
    with pytest.raises(RemoteProtocolError, match="Content-Length"):
        parse(data, stream=True)


def test_limit_of_header_lines() -> None:
    def with_lines(count: int) -> bytes:
        return REQUEST.replace(b"X-Odd", b"X: y\r\n" * count + b"X-Odd")

    there = REQUEST.partition(b"\r\n\r\n")[0].count(b"\r\n") + 1
    parse(with_lines(MAX_HEADER_LINES - there))
    with pytest.raises(RemoteProtocolError) as caught:
        parse(with_lines(MAX_HEADER_LINES - there + 1))
    assert caught.value.status == 513


@pytest.mark.parametrize(
    ("text", "items"),
    [("", []), ("a", ["a"]), ("a,b", ["a", "b"]), (" a , b ,", ["a", "b"]), (",,", []), ('"a,b" <x>,c', ['"a,b" <x>', "c"]),
     ('"a\\",b" <x>, c', ['"a\\",b" <x>', "c"]), ("<a,b>,c", ["<a,b>", "c"]), ('"open, b', ['"open, b'])],
)  # fmt: skip
def test_7_3_1_split_list(text: str, items: list[str]) -> None:
    assert split_list(text) == items


@pytest.mark.parametrize(
    ("value", "tag"),
    [("<sip:a@b>;tag=1", "1"), ("<sip:a@b>", ""), ("sip:a@b;tag=1", "1"), ("<sip:a@b;tag=no>", ""), ("<sip:a@b;tag=no>;tag=yes", "yes"),
     ('";tag=no" <sip:a@b> ; x=y ; TAG = 1 ; z', "1"), ("<sip:a@b>;tag=", ""), ("<sip:a@b>;xtag=1", ""), ("<sip:a@b>;x=;tag=1;y", "1")],
)  # fmt: skip
def test_19_3_tag_of(value: str, tag: str) -> None:
    assert tag_of(value) == tag


class TestSalvage:
    def test_what_can_be_answered(self) -> None:
        message = salvage(REQUEST.replace(b"CSeq: 314159 INVITE", b"CSeq: nonsense"))
        assert message is not None
        assert message.call_id == "a84b4c76e66710"
        assert len(message.all("Via")) == 2

    @pytest.mark.parametrize(
        "data",
        [
            RESPONSE,
            b"",
            b"\r\n\r\n",
            REQUEST.replace(b"INVITE sip", b"ACK sip"),
            b"sip/2.0 200 OK\r\n\r\n",
        ],
    )
    def test_what_is_never_answered(self, data: bytes) -> None:
        assert salvage(data) is None


@settings(max_examples=400, deadline=None)
@given(
    st.binary(max_size=300)
    | st.text('INVTESP/20. \r\n:;,"<>@viftlCq=-1', max_size=200).map(str.encode)
)
def test_parse_gives_a_message_or_says_why_not(data: bytes) -> None:
    for stream in (False, True):
        try:
            assert isinstance(parse(data, stream), Message)
        except RemoteProtocolError as error:
            assert 400 <= error.status < 600  # noqa: PT017
    salvage(data)


NAMES_OF_HEADERS = st.sampled_from(["X", "Subject", "Route", "Contact", "s", "m", "Warning"])
VALUES = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=30)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(NAMES_OF_HEADERS, VALUES), max_size=12), st.binary(max_size=60))
def test_encode_gives_back_what_came(headers: list[tuple[str, str]], body: bytes) -> None:
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
    head = RESPONSE.replace(b"l: 0\r\n\r\n", b"") + extra + f"l: {len(body)}\r\n\r\n".encode()
    data = head + body
    message = parse(data)
    assert message.encode() == data
    for name in {name for name, _ in headers if len(name) > 1}:
        assert message.has(name)


def test_21_5_7_what_is_too_large_for_a_stream_is_513() -> None:
    head = (
        b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
        b"To: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
    )
    for data in (
        head + b"Content-Length: 100000\r\n\r\n",
        (head + b"X: " + b"y" * 17_000)[:MAX_HEAD],
    ):
        with pytest.raises(RemoteProtocolError) as caught:
            parse(data, stream=True)
        assert caught.value.status == 513
