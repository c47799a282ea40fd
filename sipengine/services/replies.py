"""Answers that this server gives itself (RFC 3261 §8.2.6)."""

from __future__ import annotations

from collections.abc import Sequence

from sipengine.sip.message import Message, tag_of
from sipengine.sip.session_id import NIL, session_uuid
from sipengine.sip.status import reason_phrase


def reply(
    message: Message,
    status: int,
    reason: str = "",
    to_tag: str = "",
    extra: Sequence[str] = (),
    session: str = NIL,
) -> bytes:
    """The bytes of an answer to `message`: its Vias, From, To, Call-ID and CSeq, then `extra` lines.

    `to_tag` is added if the request's To has none; leave it empty for 100 (§8.2.6.2). `session` is
    the name of the session by who answers, if that is not this server in the stead of somebody else.
    """
    if message.has("Session-ID") and (uuid := session_uuid(message)):  # RFC 7989 §7
        extra = [f"Session-ID: {session};remote={uuid}", *extra]
    return message.answer(status, reason or reason_phrase(status), to_tag, extra)


def reply_to_broken(message: Message, status: int, reason: str, to_tag: str) -> bytes:
    """An answer to a request that lacks headers: what there is comes back (RFC 4475 §3.3.1).

    `to_tag` is added to a To that has none.
    """
    out = [f"SIP/2.0 {status} {reason}"]
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        values = message.whole_lines(name)
        if name == "To" and values and not tag_of(values[0]):
            values[0] += f";tag={to_tag}"
        out += [f"{name}: {value}" for value in values]
    out.append("Content-Length: 0\r\n\r\n")
    return "\r\n".join(out).encode("latin-1", "replace")
