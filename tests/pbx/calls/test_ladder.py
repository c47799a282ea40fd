"""The ladder of a call: who stands where, what was said, and how it is drawn."""

from __future__ import annotations

from typing import Any

import pytest

from pbx.calls.ladder import FAILURE, PROVISIONAL, REQUEST, SUCCESS, ladder_of
from pbx.calls.ladder_text import draw
from pbx.calls.pcap import capture

Told = dict[str, Any]


def told(
    first: str, peer: str = "192.0.2.7:5060", *, received: bool = True, at: float = 100.0,
    headers: str = "", again: bool = False,
) -> Told:  # fmt: skip
    text = f"{first}\nFrom: Alice <sip:1001@pbx>;tag=1\nt: <sip:1500@pbx>\n{headers}\n"
    return {
        "at": at, "received": received, "transport": "UDP", "peer": peer, "local": "192.0.2.1:5060",
        "again": again, "text": text,
    }  # fmt: skip


INVITE = told("INVITE sip:1500@pbx SIP/2.0", headers="User-Agent: Yealink\nc: application/sdp\n")


def ringing(*hosts: str) -> list[Told]:
    calls = [
        told(f"INVITE sip:100{at}@{host} SIP/2.0", host, received=False, at=101.0)
        for at, host in enumerate(hosts, 2)
    ]
    answers = [
        told("SIP/2.0 180 Ringing", host, at=102.0, headers="CSeq: 1 INVITE\n") for host in hosts
    ]
    return [INVITE, *calls, *answers]


def test_places_are_the_caller_the_server_and_who_is_rung() -> None:
    ladder = ladder_of(
        ringing("192.0.2.8:5060", "192.0.2.9:5060"), {"sip:1003@192.0.2.9:5060": "1077@pbx"}
    )
    assert [(p.letter, p.who, p.device) for p in ladder.places] == [
        ("A", "1001", "Yealink"),
        ("B", "Branchline", ""),
        ("C", "1500", ""),
        ("D", "1077", ""),
    ]
    assert [(s.source, s.target, s.label, s.kind) for s in ladder.steps] == [
        (0, 1, "INVITE, SDP", REQUEST),
        (1, 2, "INVITE", REQUEST),
        (1, 3, "INVITE", REQUEST),
        (2, 1, "180 Ringing", PROVISIONAL),
        (3, 1, "180 Ringing", PROVISIONAL),
    ]
    assert [s.after for s in ladder.steps] == [0.0, 1.0, 1.0, 2.0, 2.0]


def test_a_call_of_ours_begins_at_the_server() -> None:
    ladder = ladder_of(ringing("192.0.2.8:5060")[1:])
    assert [place.who for place in ladder.places] == ["Branchline", "1500"]


@pytest.mark.parametrize(
    ("first", "headers", "label", "kind"),
    [
        ("SIP/2.0 200 OK", "CSeq: 7 BYE\n", "200 OK (BYE)", SUCCESS),
        ("SIP/2.0 486 Busy Here", "CSeq: 7 INVITE\n", "486 Busy Here", FAILURE),
        ("REFER sip:x@y SIP/2.0", "Refer-To: <sip:1003@pbx>\n", "REFER to 1003", REQUEST),
        ("nonsense", "", "nonsense", REQUEST),
    ],
)
def test_labels(first: str, headers: str, label: str, kind: str) -> None:
    (step,) = ladder_of([told(first, headers=headers)]).steps
    assert (step.label, step.kind) == (label, kind)


def test_drawn_with_few_columns() -> None:
    messages = [INVITE, {**INVITE, "again": True}, *ringing("192.0.2.8:5060")[1:]]
    lines = list(draw(ladder_of(messages)))
    assert lines[:3] == [
        "  A  1001        UDP 192.0.2.7:5060  Yealink",
        "  B  Branchline  UDP 192.0.2.1:5060",
        "  C  1500        UDP 192.0.2.8:5060",
    ]
    ladder = lines[lines.index("") + 2 :]
    assert "- INVITE, SDP -" in ladder[0]
    assert ladder[0].count(">|") == 1
    assert "INVITE, SDP (again)" in ladder[1]
    assert "|<" in ladder[3]
    assert {len(line) for line in ladder} == {len(ladder[0])}


@pytest.mark.parametrize("phones", [1, 3, 4, 10, 18, 40])
def test_width_is_bounded_however_many_phones_ring(phones: int) -> None:
    long = "SIP/2.0 480 " + "Temporarily and for a very long time indeed unavailable " * 3
    messages = ringing(*(f"192.0.2.{at + 8}:5060" for at in range(phones)))
    messages.append(told(long, "192.0.2.8:5060", at=103.0))
    lines = list(draw(ladder_of(messages)))
    assert max(map(len, lines)) <= 118, "\n".join(lines)
    assert sum("180 Ringing" in line for line in lines) == phones


def test_missing_messages_are_told() -> None:
    lines = list(draw(ladder_of([INVITE, {"at": 101.0, "missing": 7}, INVITE])))
    assert any("7 messages are not kept any more" in line for line in lines)


def test_full_has_the_messages_below_their_arrows() -> None:
    lines = list(draw(ladder_of([INVITE]), full=True))
    assert any(line.strip() == "User-Agent: Yealink" for line in lines)


def test_capture_has_a_packet_a_message_with_the_right_length() -> None:
    body = {**INVITE, "text": INVITE["text"].replace("c:", "l: 900\nc:") + "v=0\ns=-\n"}
    six = {**INVITE, "peer": "[2001:db8::7]:5060", "local": "[2001:db8::1]:5060", "received": False}
    data = capture([body, {"at": 1.0, "missing": 2}, six, {**INVITE, "peer": "pbx.test:5060"}])
    assert data.count(b"INVITE sip:1500@pbx SIP/2.0\r\n") == 3
    assert b"l: 10\r\n" in data
    assert b"\r\n\r\nv=0\r\ns=-\r\n" in data
    assert bytes([0xC0, 0, 2, 7, 0xC0, 0, 2, 1]) in data
    assert data.count(bytes.fromhex("20010db8")) == 2
