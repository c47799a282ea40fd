"""What a request to this server itself may require and have in its body (RFC 3261 §8.2.2.3, §8.2.3)."""

from __future__ import annotations

from typing import Final

from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message

ACCEPTED: Final = "application/sdp"
_ENCRYPTED: Final = "application/pkcs7-mime"


def check_required(message: Message, supported: frozenset[str]) -> None:
    """Raises `RemoteProtocolError` 420 if a Require header names anything else (§8.2.2.3)."""
    if not supported.issuperset(message.all("Require")):
        raise RemoteProtocolError(420, "Bad Extension")


def check_body(message: Message) -> None:
    """Refuse a body that would have to be understood and is not: 415, or 493 if it is encrypted.

    No request to this server needs its body, so one that is marked as optional is passed over.
    """
    if not message.body or "optional" in (message.value("Content-Disposition") or "").lower():
        return
    check_content(message, ACCEPTED)


def check_content(message: Message, accepted: str, default: str = "") -> None:
    """Raises `RemoteProtocolError` 415 for a body of another type or one that is packed, 493 if it
    is encrypted. `default` is the type where none is said."""
    encoding = (message.value("Content-Encoding") or "identity").lower()
    kind = (message.value("Content-Type") or default).partition(";")[0].strip().lower()
    if kind == _ENCRYPTED:
        raise RemoteProtocolError(493, "Undecipherable")  # §21.4.28: we have no key for it
    if encoding != "identity" or kind != accepted:
        raise RemoteProtocolError(415, "Unsupported Media Type")
