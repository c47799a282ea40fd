"""Requests and answers of our own, as messages (RFC 3261 §8.1.1, §8.2.6)."""

from __future__ import annotations

from typing import Final

from sipengine.services.own_bodies import check_content
from sipengine.services.replies import reply
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.parser import parse
from sipengine.sip.session_id import NIL, own_uuid

Headers = list[tuple[str, str]]

METHODS: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY"
"""What a session of ours understands."""
EXTENSIONS: Final = frozenset({"100rel", "timer", "replaces"})
CAPABILITIES: Final[Headers] = [
    ("Allow", METHODS),
    ("Supported", "100rel, timer, replaces"),
]
WITHOUT_RELIABLE: Final[Headers] = [("Allow", METHODS), ("Supported", "timer, replaces")]
SDP: Final = "application/sdp"
SIPFRAG: Final = "message/sipfrag;version=2.0"
MAX_FORWARDS: Final = "70"

_NO_BODY: Final = b"Content-Length: 0\r\n\r\n"
_NO_VIA: Final = "Via: SIP/2.0/UDP ua.invalid;branch=z9hG4bK"
_ABSENT_VIA: Final = f"\r\n{_NO_VIA}\r\n".encode()


def request(
    method: str, uri: str, headers: Headers, body: str = "", content_type: str = SDP
) -> Message:
    """A request; its Via is only a place for the one that `with_via` puts there."""
    lines = [f"{method} {uri} SIP/2.0", _NO_VIA, f"Max-Forwards: {MAX_FORWARDS}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Type: {content_type}")
    lines.append(f"Content-Length: {len(body)}")
    return parse(("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1", "replace"))


def with_via(message: Message, via: str) -> bytes:
    """The bytes of a request with `via` on top."""
    message.via_line = f"Via: {via}"
    return message.encode()


def answer(
    message: Message,
    status: int,
    headers: Headers,
    *,
    to_tag: str = "",
    reason: str = "",
    body: str = "",
) -> bytes:
    """The bytes of an answer to `message`. What makes a dialog repeats its Record-Routes (§12.1.1)."""
    extra = [f"{name}: {value}" for name, value in headers]
    if 100 < status < 300 and message.has("Record-Route"):
        extra += [f"Record-Route: {value}" for value in message.whole_lines("Record-Route")]
    session = own_uuid(message.to_tag or to_tag) if message.has("Session-ID") else NIL
    data = reply(message, status, reason, to_tag, extra, session)
    if not body:
        return data
    content = f"Content-Type: {SDP}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    return data[: -len(_NO_BODY)] + content.encode("latin-1", "replace")


def parse_response(data: bytes) -> Message | None:
    """A response to a request of ours, whose only Via the core has cut off. None if it is broken."""
    try:
        return parse(data.replace(b"\r\n", _ABSENT_VIA, 1))
    except RemoteProtocolError:
        return None


def options(message: Message, name: str) -> frozenset[str]:
    """The items of a list header such as Supported, in lower case."""
    return frozenset(item.lower() for item in message.all(name))


def check_accept(message: Message) -> None:
    """Raises `RemoteProtocolError` 406 if an Accept header leaves no room for SDP (§20.1, §21.4.7)."""
    for value in message.all("Accept"):
        if value.partition(";")[0].strip().lower() in (SDP, "application/*", "*/*"):
            return
    raise RemoteProtocolError(406, "Not Acceptable")


def description_in(message: Message) -> str:
    """The session description in a body, "" if there is none.

    Raises `RemoteProtocolError` 415 if the body is something else (§8.2.3), 493 if it is encrypted.
    """
    if not message.body:
        return ""
    check_content(message, SDP, SDP)
    return message.body
