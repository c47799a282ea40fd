"""The session description in a message as it came: taken out, and another put in its place."""

from __future__ import annotations

_TYPE = b"\r\ncontent-type:"
_COMPACT_TYPE = b"\r\nc:"


def sdp_of(data: bytes) -> bytes:
    """The body if it is one session description (RFC 3261 §7.4, §20.15), else b""."""
    end = data.find(b"\r\n\r\n")
    body = data[end + 4 :]
    if end < 0 or not body:
        return b""
    head = data[:end].lower()
    for name in (_TYPE, _COMPACT_TYPE):
        at = head.find(name)
        if at >= 0:
            value = head[at + len(name) :].partition(b"\r\n")[0].strip()
            return body if value.partition(b";")[0].strip() == b"application/sdp" else b""
    return b""


def with_sdp(data: bytes, sdp: bytes) -> bytes:
    """The same message with `sdp` for a body, and its Content-Length (§20.14)."""
    head = data.partition(b"\r\n\r\n")[0]
    lines = [
        line
        for line in head.split(b"\r\n")
        if line.partition(b":")[0].rstrip().lower() not in (b"content-length", b"l")
    ]
    lines.append(b"Content-Length: %d" % len(sdp))
    return b"\r\n".join(lines) + b"\r\n\r\n" + sdp
