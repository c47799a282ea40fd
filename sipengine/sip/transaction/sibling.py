"""The ACK and the CANCEL that belong to an INVITE of ours, made of its bytes (RFC 3261 §9.1, §17.1.1.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_COPIED: Final = re.compile(
    rb"\r\n((?:f(?:rom)?|to?|i|c(?:all-id|seq)|route|max-forwards|session-id)[ \t]*:.*)(?=\r)",
    re.IGNORECASE,
)
"""Session-ID among them (RFC 7989 §7)."""


scanned: Callable[[bytes, bytes, bytes | None, bytes], bytes | None] | None
"""The compiled twin of `made_by_search`, where there is one."""
try:
    from sipengine.sip.scanner import sibling as scanned
except ImportError:
    scanned = None


def sibling(invite: bytes, method: bytes, to: bytes | None = None, reason: bytes = b"") -> bytes:
    """A request with the URI, the top Via, the From, To, Call-ID, Routes and CSeq number of `invite`.

    `to` is the To line to have instead, `reason` are further lines without the last line end.
    """
    if scanned is not None:
        made = scanned(invite, method, to, reason)
        if made is not None:
            return made
    return made_by_search(invite, method, to, reason)


def made_by_search(invite: bytes, method: bytes, to: bytes | None, reason: bytes) -> bytes:
    """The reference: `sibling` without the compiled scanner."""
    head = invite.index(b"\r\n\r\n")
    via_end = invite.index(b"\r\n", invite.index(b"\r\n") + 2)
    lines: list[bytes] = [method + invite[6:via_end]]  # begins with INVITE
    for line in _COPIED.findall(invite, via_end, head + 1):
        name = line[:2].lower()
        if name == b"cs":
            lines.append(b"CSeq: %b %b" % (line.partition(b":")[2].split()[0], method))
        elif to is not None and name[:1] == b"t":
            lines.append(to)
        else:
            lines.append(line)
    if reason:
        lines.append(reason)
    lines.append(b"Content-Length: 0\r\n\r\n")
    return b"\r\n".join(lines)
