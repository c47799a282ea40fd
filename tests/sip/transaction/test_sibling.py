"""The ACK and the CANCEL that go with an INVITE (RFC 3261 §9.1, §17.1.1.3)."""

from __future__ import annotations

from sipengine.sip.header_line import header_line
from sipengine.sip.transaction.sibling import sibling

INVITE = (
    b"INVITE sip:b@h;user=phone SIP/2.0\r\n"
    b"v: SIP/2.0/UDP h:5060;branch=z9hG4bK1\r\n"
    b"Via: SIP/2.0/UDP a:5060;branch=z9hG4bK2\r\n"
    b"Record-Route: <sip:h;lr>\r\n"
    b"ROUTE : <sip:r1;lr>\r\n"
    b"Timestamp: 1\r\n"
    b"Topic: To: nobody\r\n"
    b"f: <sip:a@h>;tag=a\r\n"
    b"from-whom: x\r\n"
    b"t\t: <sip:b@h>\r\n"
    b"i: 1@h\r\n"
    b"In-Reply-To: 2@h\r\n"
    b"cSeQ:   0017   INVITE\r\n"
    b"Route: <sip:r2;lr>, <sip:r3;lr>\r\n"
    b"Max-Forwards: 69\r\n"
    b"session-id: ab;remote=cd\r\n"
    b"Contact: <sip:a@h>\r\n"
    b"l: 14\r\n"
    b"\r\n"
    b"\r\nTo: the body"
)
START = b" sip:b@h;user=phone SIP/2.0\r\nv: SIP/2.0/UDP h:5060;branch=z9hG4bK1\r\n"
"""Of the Vias, the top one alone."""
ROUTE, FROM, TO, CALL_ID = (
    b"ROUTE : <sip:r1;lr>", b"f: <sip:a@h>;tag=a", b"t\t: <sip:b@h>", b"i: 1@h",
)  # fmt: skip
REST = [b"Route: <sip:r2;lr>, <sip:r3;lr>", b"Max-Forwards: 69", b"session-id: ab;remote=cd"]
END = b"Content-Length: 0\r\n\r\n"


def test_rfc3261_9_1_a_cancel_has_what_its_invite_has_however_that_is_spelt() -> None:
    lines = [ROUTE, FROM, TO, CALL_ID, b"CSeq: 0017 CANCEL", *REST, END]
    assert sibling(INVITE, b"CANCEL") == b"CANCEL" + START + b"\r\n".join(lines)


def test_rfc3326_2_the_reason_of_a_cancel_stands_at_its_end() -> None:
    cancel = sibling(INVITE, b"CANCEL", reason=b"Reason: SIP;cause=200\r\nReason: Q.850;cause=16")
    assert cancel.endswith(b"\r\nReason: SIP;cause=200\r\nReason: Q.850;cause=16\r\n" + END)


def test_rfc3261_17_1_1_3_an_ack_has_the_to_of_the_answer() -> None:
    to = header_line(b"SIP/2.0 486 X\r\nt: <sip:b@h>\r\n ;tag=b\r\n\r\n", b"To", b"t")
    lines = [ROUTE, FROM, b"To: <sip:b@h> ;tag=b", CALL_ID, b"CSeq: 0017 ACK", *REST, END]
    assert sibling(INVITE, b"ACK", to) == b"ACK" + START + b"\r\n".join(lines)
