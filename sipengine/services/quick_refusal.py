"""A 503 made of unread bytes, for requests as nearly every phone writes them (RFC 3261 §21.5.4).

Refusing must cost little beside what is refused, or there is no time left for what is not. What looks
unusual in any way is left to the long way, which gives the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

from sipengine.services.overload import FULL, RETRY_FIRST, RETRY_SPREAD, Admission, begins_work
from sipengine.sip.flow import Flow

_USUAL: Final = re.compile(
    rb"[^\r\n]+\r\n"
    rb"(Via: SIP/2\.0/[A-Z]{2,4} ([A-Za-z0-9._-]+:[0-9]{1,5});branch=(z9hG4bK[^;,\s\"]+));rport\r"
    rb"(?:\n(?:Max-Forwards|Contact|Route): [^\r\n]*\r)*"
    rb"((?:\n(?:From|To|Call-ID|CSeq): [^\r\n]*\r){4})\n"
)
"""A top Via of ours to complete, then the four lines that an answer repeats, in any order."""

_ANSWER: Final = (
    b"SIP/2.0 503 Service Unavailable: overloaded\r\n%b;received=%b;rport=%d\r%b;tag=%b%b\n"
    b"Retry-After: %d\r\nContent-Length: 0\r\n\r\n"
)
_CREDENTIALS: Final = b"uthorization: "


def quick_refusal(
    data: bytes, flow: Flow, admission: Admission, tag: str, running: Container[str]
) -> bytes | None:
    """The 503 to send back on `flow`, None if the request is to be taken or looked at closely.

    `tag` is the To tag of all such answers, by which `is_acknowledgement` knows their ACKs.
    `running` has the keys of the server transactions: a retransmission is no new request.
    """
    admission.looks_anew()
    if not begins_work(data):
        return None
    has_credentials = _CREDENTIALS in data
    if has_credentials and admission.level < FULL:
        return None
    usual = _USUAL.match(data)
    if usual is None or data.find(b"\nVia:", usual.end(1)) >= 0 or b"\nv:" in data:
        return None
    via, sent_by, branch, named = usual.groups()
    to = named.find(b"\nTo:")
    if to < 0 or b"\nFrom:" not in named or b"\nCall-ID:" not in named or b"\nCSeq:" not in named:
        return None
    key = (branch + b"|" + sent_by).decode("latin-1")
    if not data.startswith(b"INVITE"):
        key = f"{key}|{data[: data.find(b' ')].decode('latin-1')}"
    if key in running or admission.takes_next(has_credentials):
        return None
    end = named.find(b"\r", to)
    host, port = flow.remote
    return _ANSWER % (
        via,
        host.encode(),
        port,
        named[:end],
        tag.encode(),
        named[end:],
        RETRY_FIRST + hash(named) % RETRY_SPREAD,
    )


def is_acknowledgement(data: bytes, tag: bytes) -> bool:
    """Whether unread bytes are the ACK of a quick refusal: it is done with (§17.1.1.3)."""
    return data.startswith(b"ACK ") and tag in data
