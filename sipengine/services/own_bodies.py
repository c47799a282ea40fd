"""What a request to this server itself may have in its body (RFC 3261 §8.2.3)."""

from __future__ import annotations

from typing import Final

from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message

ACCEPTED: Final = "application/sdp"
_ENCRYPTED: Final = "application/pkcs7-mime"


def check_body(message: Message) -> None:
    """Refuse a body that would have to be understood and is not: 415, or 493 if it is encrypted.

    No request to this server needs its body, so one that is marked as optional is passed over.
    """
    if not message.body or "optional" in (message.value("Content-Disposition") or "").lower():
        return
    encoding = (message.value("Content-Encoding") or "identity").lower()
    kind = (message.value("Content-Type") or "").partition(";")[0].strip().lower()
    if kind == _ENCRYPTED:
        raise RemoteProtocolError(493, "Undecipherable")  # §21.4.25: we have no key for it
    if encoding != "identity" or kind != ACCEPTED:
        raise RemoteProtocolError(415, "Unsupported Media Type")
