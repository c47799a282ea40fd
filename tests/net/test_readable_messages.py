"""What an operator may read of a message: everything but what only its senders may know."""

from __future__ import annotations

import json

import pytest

from sipengine.observe.messages import readable
from sipengine.observe.trace import told
from sipengine.sip.flow import Flow
from sipengine.sip.trace import Traced


def message(*lines: str, body: str = "") -> bytes:
    head = ("INVITE sip:1002@pbx.test SIP/2.0", "Call-ID: x", *lines)
    return "\r\n".join([*head, "", body]).encode()


@pytest.mark.parametrize(
    "lines",
    [
        ['Authorization: Digest username="1001",response="SECRET",nonce="SECRET"'],
        ["authorization : Digest username=1001, response=SECRET"],
        [
            'Proxy-Authorization: Digest username="1001",',
            ' cnonce="SECRET",',
            '\tresponse="SECRET"',
        ],
        ["Proxy-Authorization: Basic SECRET"],
        ["Authorization: Digest", " unknown=SECRET"],
        ["X-Odd: a\rAuthorization: Basic SECRET"],
        ['Authentication-Info: rspauth="SECRET",nextnonce="SECRET"'],
        ["Contact: <sip:1001:SECRET@192.0.2.7:5060>"],
        ["Refer-To: <sip:1003@pbx.test?Authorization=Digest%20SECRET>"],
    ],
)
def test_secrets_of_headers_are_hidden(lines: list[str]) -> None:
    assert "SECRET" not in readable(message(*lines))


def test_who_tried_to_log_in_is_told() -> None:
    text = readable(
        message(
            'Authorization: Digest username="1001", realm="pbx.test", response="x", nc=00000001'
        )
    )
    assert 'Authorization: Digest username="1001", realm="pbx.test", response=[hidden]' in text
    assert "nc=00000001" in text


def test_description_is_told_without_its_keys() -> None:
    body = (
        "v=0\r\nk=clear:SECRET\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES inline:SECRET|2^20\r\n"
        "a=key-mgmt:mikey SECRET\r\na=ice-pwd:SECRET\r\na=sendrecv\r\n"
    )
    text = readable(message("Content-Type: application/sdp", body=body))
    assert "SECRET" not in text
    assert "m=audio 4000 RTP/SAVP 0\n" in text
    assert text.endswith("a=sendrecv\n")


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Type: text/plain"],
        ["c: application/dtmf-relay"],
        [],
        ["Content-Type: application/sdp", "Content-Encoding: gzip"],
        ["Content-Type: multipart/mixed;boundary=x"],
    ],
)
def test_other_bodies_are_not_told(lines: list[str]) -> None:
    text = readable(message(*lines, body="Signal=4711"))
    assert "4711" not in text
    assert "[11 bytes of" in text


def test_answer_to_a_transfer_is_told() -> None:
    body = "SIP/2.0 486 Busy Here\r\nAuthorization: Basic SECRET\r\n"
    text = readable(message("Content-Type: message/sipfrag;version=2.0", body=body))
    assert "486 Busy Here" in text
    assert "SECRET" not in text


@pytest.mark.parametrize("odd", ["\x1b[2J", "\x00", "\x9b", "\u202e", "\u2028"])
def test_nothing_moves_a_terminal_s_cursor(odd: str) -> None:
    text = readable(message(f'From: "{odd}x" <sip:1001@pbx.test>;tag=1'))
    assert odd not in text
    assert text.isprintable() or set(text) - {"\n"} == {c for c in text if c.isprintable()}


def test_unreadable_bytes_are_told_somehow() -> None:
    assert readable(b"\xff\xfe") == "\ufffd\ufffd\n"
    assert readable(b"") == "\n"


def test_told_is_in_order_with_times_and_what_came_again() -> None:
    phone = Flow("UDP", ("2001:db8::1", 5060), ("2001:db8::7", 40000))
    first, again = Traced(5.0, True, phone, message()), Traced(6.0, True, phone, message())
    late = Traced(5.5, False, phone, b"SIP/2.0 100 Trying\r\n\r\n")
    answer = json.loads(told([([first, again], 3, 1), ([late], 0, 0)], 100.0, 1000.0))
    assert answer["since"] == 100.0
    rows = answer["messages"]
    assert [row["at"] for row in rows] == [1005.0, 1005.5, 1006.0, 1006.0]
    assert rows[0]["peer"] == "[2001:db8::7]:40000"
    assert [row.get("again") for row in rows] == [False, False, None, True]
    assert rows[2] == {"at": 1006.0, "missing": 3}
    assert json.loads(told([], 1.0, 0.0)) == {"since": 1.0, "messages": []}
