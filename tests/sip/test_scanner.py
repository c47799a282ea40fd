"""The compiled scanner reads requests as the reference does (docs/decisions/0005).

Run on the sources it is the reference against itself; `tests/contract/test_compiled.py` runs it on
the compiled engine, where it compares the two.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipengine.services.proxy.forwarding import (
    is_whole,
    made_whole,
    split_response,
    top_via,
    top_via_slowly,
)
from sipengine.services.reply_path import read_usual_via, usual_via
from sipengine.sip.digest import MAX_CREDENTIALS, parse_credentials, read_credentials
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.parser import parse, read
from sipengine.sip.transaction.sibling import made_by_search, sibling

BODY = "v=0\r\no=u 1 1 IN IP4 192.0.2.1\r\n"
NAMES = ["Via", "From", "To", "Call-ID", "CSeq", "Contact", "Route", "X-Odd", "Subject", "Event"]

values = st.text(
    st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=12
)
spellings = st.sampled_from(
    [
        *("Via", "v", "VIA", "via", "From", "f", "To", "t", "Call-ID", "i", "call-id", "CSeq"),
        *("Max-Forwards", "Content-Length", "l", "Route", "Contact", "m", "Event", "o", "X-Odd"),
        *("Proxy-Authorization", "Timestamp", "Subject", "s", "x-odd", "Via ", "", "Bad Name"),
    ]
)
headers = st.lists(st.tuples(spellings, values), max_size=5)


def request(
    more: list[tuple[str, str]],
    body: str = "",
    length: int | None = None,
    method: str = "INVITE",
    uri: str = "sip:1002@pbx.example",
) -> bytes:
    lines = [
        f"{method} {uri} SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776",
        "From: Alice <sip:1001@pbx.example>;tag=88sja8x",
        "To: <sip:1002@pbx.example>",
        "Call-ID: 987asjd97y7atg",
        f"CSeq: 986759 {method}",
        *(f"{name}: {value}" for name, value in more),
        *([] if length is None else [f"Content-Length: {length}"]),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


def told(message: Message) -> list[object]:
    """Everything that a message can be asked."""
    return [
        (message.method, message.uri, message.status, message.call_id, message.cseq, message.body),
        (message.from_tag, message.to_tag, message.via_line, message.has_one_via),
        [(n, message.has(n), message.value(n), message.all(n)) for n in NAMES],
        [message.whole_lines(name) for name in NAMES],
        (list(message.lines), list(message.names), message.loop_hash()),
        message.fingerprint("a") == message.fingerprint("a") != message.fingerprint("b"),
        message.answer(100, "Trying", "", ()),
        message.answer(404, "Not Found", "tag1", ["Warning: one", "Warning: two"]),
        message.answer(404, "Ниет", "tag1", ["Warning: ж"]),
        message.encode(),
    ]


def outcome(data: bytes, stream: bool, by: object) -> list[object]:
    try:
        message = parse(data, stream) if by is parse else read(data, stream)
    except RemoteProtocolError as error:
        return [error.status, error.reason]
    out = told(message)
    hops = message.value("Max-Forwards")
    if message.method and (hops is None or (hops.isdigit() and hops.isascii())):
        out.append(message.forwarded(["pbx.example", "other.example"]))
    return out


def same(data: bytes, stream: bool = False) -> None:
    assert outcome(data, stream, parse) == outcome(data, stream, read)


@settings(max_examples=400, deadline=None)
@given(headers, st.sampled_from(["", BODY]), st.none() | st.integers(0, 40), st.booleans())
@example([("Proxy-Authorization", 'Digest realm="pbx.example"')], BODY, len(BODY), True)
@example([("Max-Forwards", "70"), ("Timestamp", "1")], "", 0, False)
@example([("Route", "<sip:a;lr>, <sip:b;lr>"), ("Route", "<sip:c;lr>")], "", 0, False)
def test_requests_read_alike(
    more: list[tuple[str, str]], body: str, length: int | None, stream: bool
) -> None:
    same(request(more, body, length), stream)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 400),
)
def test_spoilt_requests_read_alike(changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(request([("Max-Forwards", "70"), ("v", "SIP/2.0/TCP a;branch=b")], BODY, 31))
    for at, byte in changes:
        data[at % len(data)] = byte
    same(bytes(data), stream=True)
    same(bytes(data[:cut]))


@pytest.mark.parametrize("method", ["ACK", "BYE", "REGISTER", "FOO-BAR", "invite"])
@pytest.mark.parametrize("uri", ["sip:a", "sip:\xe4@b", "tel:+43", "sip:a\x7f", "*"])
def test_start_lines_read_alike(method: str, uri: str) -> None:
    same(request([], method=method, uri=uri))


def changed(message: Message) -> list[object]:
    message.via_line = message.via_line + ";received=192.0.2.9"
    out = told(message)
    message.replace("Route", ["<sip:next.example;lr>", "<sip:last.example;lr>"])
    out += told(message)
    message.replace("Route", ["<sip:last.example;lr>"])
    message.replace("X-Odd", [])
    message.append(["Subject: more", "Event: dialog"])
    message.via_line = f"{message.via_line};rport=7"
    message.set_uri("sip:elsewhere.example")
    out += told(message)
    out.append(message.forwarded(()))
    if len(message.whole_lines("Via")) > 1:
        message.drop_via_line()
        out += told(message)
    return out


@pytest.mark.parametrize(
    "more",
    [
        [],
        [("Route", "<sip:us;lr>"), ("X-Odd", "1"), ("Max-Forwards", "70")],
        [("v", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1"), ("Subject", "é"), ("Route", "<sip:us>")],
    ],
)
def test_requests_change_alike(more: list[tuple[str, str]]) -> None:
    data = request(more, BODY, len(BODY))
    assert changed(parse(data)) == changed(read(data, False))


def slowly(data: bytes) -> tuple[bytes, bytes] | str:
    try:
        whole = data if is_whole(data) else made_whole(data)
        return top_via(whole) or top_via_slowly(whole)
    except RemoteProtocolError as error:
        return error.reason


def quickly(data: bytes) -> tuple[bytes, bytes] | str:
    try:
        return split_response(data)
    except RemoteProtocolError as error:
        return error.reason


RESPONSE = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.5:5060;branch=z9hG4bKours;rport\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKhis\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@b>;tag=2\r\n"
    b"Call-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 4\r\n\r\nbody"
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=3), st.integers(0, 300)
)
@example([], 300)
def test_rfc3261_16_7_responses_split_alike(changes: list[tuple[int, int]], cut: int) -> None:
    for whole in (RESPONSE, RESPONSE.replace(b"rport\r\nVia: ", b"rport,")):
        data = bytearray(whole)
        for at, byte in changes:
            data[at % len(data)] = byte
        for spoilt in (bytes(data), bytes(data[:cut])):
            assert quickly(spoilt) == slowly(spoilt)


def test_rfc3261_7_3_1_a_length_written_behind_blanks_is_read_where_it_stands() -> None:
    """As SIPp writes it: such a response goes on as it came, without being parsed."""
    data = RESPONSE.replace(b"Content-Length: 4", b"Content-Length:     4")
    assert is_whole(data)
    branch, rest = split_response(data)
    assert branch == b"z9hG4bKours"
    assert rest == data.replace(
        b"Via: SIP/2.0/UDP 192.0.2.5:5060;branch=z9hG4bKours;rport\r\n", b""
    )
    assert not is_whole(RESPONSE.replace(b"Content-Length: 4", b"Content-Length:    5"))


CREDENTIALS = (
    'Digest username="1001", realm="pbx.example",nonce="0a1b", uri="sip:pbx.example",'
    'response="e966", algorithm=MD5, cnonce="0a4f", qop=auth, nc=00000001'
)
names_of_fields = st.sampled_from(["username", "realm", "nc", "qop", "Realm", "x-odd", "", "a b"])


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(7, 200), st.integers(0, 255)), max_size=3),
    st.lists(st.tuples(names_of_fields, st.booleans(), values), max_size=3),
    st.integers(7, 200),
)
@example([], [("realm", True, "a, b=c")], 200)
@example([], [("realm", True, 'a\\"b')], 200)
@example([], [("realm", False, "a\xa0b"), ("username", True, "a b")], 200)
@example([], [("realm", False, "")], 200)
def test_rfc7616_3_4_credentials_are_read_alike(
    changes: list[tuple[int, int]], more: list[tuple[str, bool, str]], cut: int
) -> None:
    text = list(CREDENTIALS)
    for at, char in changes:
        text[at % (len(text) - 7) + 7] = chr(char)
    written = [f'{name}="{value}"' if quoted else f"{name}={value}" for name, quoted, value in more]
    spoilt = ", ".join(["".join(text), *written])
    for one in (spoilt, spoilt[:cut]):
        assert len(one) <= MAX_CREDENTIALS
        assert fields_of(parse_credentials, one) == fields_of(read_credentials, one)


def fields_of(reading: Callable[[str], dict[str, str] | None], text: str) -> object:
    try:
        return reading(text)
    except RemoteProtocolError as error:
        return error.reason


VIA = "Via: SIP/2.0/UDP pbx.example:5060;branch=z9hG4bK-1.a;rport"


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=2),
    st.sampled_from(["UDP", "TCP", "TLS", "WS", "WSS", "SCTP", "WSSS"]),
    st.sampled_from([";rport", "", ";rport;alias", ";rport=1", ";received=a"]),
    st.integers(0, 80),
)
@example([], "UDP", ";rport", 80)
@example([(44, 0xE9)], "UDP", ";rport", 80)
def test_rfc3261_18_2_the_usual_top_via_is_read_alike(
    changes: list[tuple[int, int]], transport: str, end: str, cut: int
) -> None:
    text = list(VIA.replace("UDP", transport).replace(";rport", end))
    for at, char in changes:
        text[at % len(text)] = chr(char)
    line = "".join(text)
    assert usual_via(line) == read_usual_via(line)
    assert usual_via(line[:cut]) == read_usual_via(line[:cut])


def test_rfc3581_4_what_the_usual_top_via_is() -> None:
    assert usual_via(VIA) == usual_via(VIA[:-6]) == ("pbx.example:5060", "z9hG4bK-1.a")
    assert usual_via(f"{VIA}=5060") is None


@settings(max_examples=400, deadline=None)
@given(
    headers,
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=2),
    st.sampled_from([None, b"To: <sip:b@h>;tag=b"]),
    st.sampled_from([b"", b"Reason: SIP;cause=200"]),
)
@example([("Session-ID", "ab"), ("t", "x"), ("CSEQ", "7 INVITE"), ("to ", "y")], [], None, b"")
@example([("Route", "<sip:r;lr>"), ("From-Whom", "x"), ("Topic", "To: x")], [], b"To: x", b"")
def test_rfc3261_17_1_1_3_ack_and_cancel_are_made_alike(
    more: list[tuple[str, str]], changes: list[tuple[int, int]], to: bytes | None, reason: bytes
) -> None:
    invite = bytearray(request(more))
    for at, octet in changes:
        if at < len(invite) and octet not in b"\r\n" and invite[at] not in b"\r\n":
            invite[at] = octet
    for method in (b"ACK", b"CANCEL"):
        args = (bytes(invite), method, to, reason)
        assert outcome_of_making(sibling, *args) == outcome_of_making(made_by_search, *args)


def outcome_of_making(
    make: Callable[[bytes, bytes, bytes | None, bytes], bytes],
    invite: bytes, method: bytes, to: bytes | None, reason: bytes,
) -> bytes | type[Exception]:  # fmt: skip
    try:
        return make(invite, method, to, reason)
    except IndexError as error:  # a CSeq of nothing: no INVITE that was sent
        return type(error)
