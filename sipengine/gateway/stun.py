"""STUN Binding requests of an ICE peer, judged and answered (RFC 8489 §6.3.1, RFC 8445 §7.3).

Pure: octets in, a verdict and octets out. Parsing and HMAC are aioice's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from aioice.stun import Class, Message, Method, message_fingerprint, parse_message

COOKIE: Final = b"\x21\x12\xa4\x42"
MAX_REQUEST: Final = 548
"""Octets; RFC 8489 §6.1 wants no more than fits the smallest path, and a check needs some 120."""

_USERNAME: Final = 0x0006
_FINGERPRINT_SIZE: Final = 8


@dataclass(frozen=True, slots=True)
class Check:
    """A connectivity check that proved to know our password."""

    request: Message
    remote_ufrag: str
    nominated: bool
    peer_is_controlled: bool


def is_request(data: bytes) -> bool:
    """Whether this is shaped like a Binding request (RFC 8489 §5); nothing else is answered."""
    return data[:2] == b"\x00\x01" and data[4:8] == COOKIE and 20 <= len(data) <= MAX_REQUEST


def local_ufrag_of(data: bytes) -> str:
    """The first half of USERNAME: whose check this is, before anything costly; "" if there is none."""
    at, end = 20, len(data)
    while at + 4 <= end:
        kind = data[at] << 8 | data[at + 1]
        length = data[at + 2] << 8 | data[at + 3]
        if kind == _USERNAME:
            return data[at + 4 : at + 4 + length].partition(b":")[0].decode("latin-1")
        at += 4 + (length + 3 & ~3)
    return ""


def check(data: bytes, ufrag: str, password: str) -> Check | None:
    """The check in `data` if FINGERPRINT, USERNAME and MESSAGE-INTEGRITY are right, else None.

    RFC 8445 §7.3 with RFC 8489 §9.1.3. Whoever does not know the password is not answered:
    that 401 would make this port a reflector.
    """
    try:
        message = parse_message(data)
    except (ValueError, KeyError, IndexError, struct.error):
        return None
    attributes = message.attributes
    if message.message_method != Method.BINDING or message.message_class != Class.REQUEST:
        return None
    if attributes.get("FINGERPRINT") != message_fingerprint(data[:-_FINGERPRINT_SIZE]):
        return None  # missing, wrong, or not the last
    ours, _, theirs = str(attributes.get("USERNAME", "")).partition(":")
    if ours != ufrag or not message.check_message_integrity(password.encode()):
        return None
    return Check(message, theirs, "USE-CANDIDATE" in attributes, "ICE-CONTROLLED" in attributes)


def success(request: Message, source: tuple[str, int], password: str) -> bytes:
    """The answer that tells the peer where it was seen (RFC 8489 §6.3.1.1, RFC 8445 §7.3.1.2)."""
    return _signed(request, Class.RESPONSE, password, XOR_MAPPED_ADDRESS=source)


def role_conflict(request: Message, password: str) -> bytes:
    """487: a lite agent stays controlled, so the peer must be controlling (RFC 8445 §6.1.1, §7.3.1.1)."""
    return _signed(request, Class.ERROR, password, ERROR_CODE=(487, "Role Conflict"))


def _signed(request: Message, kind: Class, password: str, **attributes: object) -> bytes:
    answer = Message(
        message_method=Method.BINDING,
        message_class=kind,
        transaction_id=request.transaction_id,
        attributes={name.replace("_", "-"): value for name, value in attributes.items()},
    )
    answer.add_message_integrity(password.encode())
    return bytes(answer)
