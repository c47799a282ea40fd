"""A 503 made of unread bytes, for requests as nearly every phone writes them (RFC 3261 §21.5.4).

Refusing must cost little beside what is refused, or there is no time left for what is not. What looks
unusual in any way is left to the long way, which gives the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

from sipengine.services.overload import BUSY, CALM, begins_work, retry_after
from sipengine.sip.flow import Flow

_VIA: Final = re.compile(
    rb"(Via: SIP/2\.0/[A-Z]{2,4} ([A-Za-z0-9._-]+:[0-9]{1,5});branch=(z9hG4bK[^;,\s\"]+));rport\r\n"
)
_CREDENTIALS: Final = b"uthorization: "


def quick_refusal(
    data: bytes, flow: Flow, level: int, tag: str, running: Container[str]
) -> bytes | None:
    """The 503 to send back on `flow`, None if the request is to be taken or looked at closely.

    `tag` is the To tag of all such answers, by which `is_acknowledgement` knows their ACKs.
    `running` has the keys of the server transactions: a retransmission is no new request.
    """
    if level == CALM or not begins_work(data):
        return None
    if level == BUSY and _CREDENTIALS in data:
        return None
    via = _VIA.match(data, data.find(b"\r\n") + 2)
    if via is None or data.find(b"\r\nVia:", via.end() - 2) >= 0 or b"\r\nv:" in data:
        return None
    key = f"{via[3].decode('latin-1')}|{via[2].decode('latin-1')}"
    if not data.startswith(b"INVITE"):
        key = f"{key}|{data[: data.find(b' ')].decode('latin-1')}"
    if key in running:
        return None
    sender, to = _line(data, b"\r\nFrom:"), _line(data, b"\r\nTo:")
    call_id, cseq = _line(data, b"\r\nCall-ID:"), _line(data, b"\r\nCSeq:")
    if not (sender and to and call_id and cseq):
        return None
    host, port = flow.remote
    return b"".join(
        (
            b"SIP/2.0 503 Service Unavailable: overloaded\r\n",
            via[1],
            f";received={host};rport={port}".encode(),
            sender,
            to,
            f";tag={tag}".encode(),
            call_id,
            cseq,
            f"\r\n{retry_after(call_id.decode('latin-1'))}\r\nContent-Length: 0\r\n\r\n".encode(),
        )
    )


def is_acknowledgement(data: bytes, tag: bytes) -> bool:
    """Whether unread bytes are the ACK of a quick refusal: it is done with (§17.1.1.3)."""
    return data.startswith(b"ACK ") and tag in data


def _line(data: bytes, name: bytes) -> bytes:
    """A header line with the line end before it, b"" if it is not there."""
    at = data.find(name)
    return data[at : data.find(b"\r\n", at + 2)] if at >= 0 else b""
