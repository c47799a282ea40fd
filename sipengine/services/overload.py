"""What is refused when more comes than can be done (RFC 3261 §21.5.4), so that what began can end.

Work that has begun is worth more than work that may begin: requests of dialogs, ACK, CANCEL, responses
and retransmissions are always taken. Of new requests those go first that have cost nothing yet: the ones
without credentials, whose challenge would only bring one more. The answer is stateless.
"""

from __future__ import annotations

from typing import Final

from sipengine.sip.message import Message

CALM: Final = 0
BUSY: Final = 1
"""New requests without credentials are refused."""
FULL: Final = 2
"""All new requests that take work are refused."""
OVERFLOWING: Final = 3
"""The kernel is about to drop whatever comes: new requests are dropped unread in its place."""

REFUSED: Final = frozenset(
    {"INVITE", "REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "REFER", "NOTIFY"}
)
"""OPTIONS is not among them: its answer costs less than another one would."""

_WORK: Final = (b"INVITE ", b"REGISTER ", b"SUBSCRIBE ", b"MESSAGE ", b"PUBLISH ")
_NEW: Final = (*_WORK, b"OPTIONS ")

RETRY_FIRST: Final = 10
RETRY_SPREAD: Final = 21
"""Seconds in Retry-After: from 10 to 30, so that those refused together do not come back together."""


def admits(message: Message, level: int) -> bool:
    """Whether a request outside of any dialog is taken at this level."""
    if level == CALM or message.method not in REFUSED:
        return True
    if level >= FULL:
        return False
    return message.has("Authorization") or message.has("Proxy-Authorization")


def retry_after(call_id: str) -> str:
    """The header line for a 503. The hash is another in every process, so nobody can choose it."""
    return f"Retry-After: {RETRY_FIRST + hash(call_id) % RETRY_SPREAD}"


def begins_anew(data: bytes) -> bool:
    """Whether unread bytes are a request that begins something; False where one look does not tell."""
    return data.startswith(_NEW) and _is_without_to_tag(data)


def begins_work(data: bytes) -> bool:
    """As `begins_anew`, for those that are refused at the lower levels."""
    return data.startswith(_WORK) and _is_without_to_tag(data)


def _is_without_to_tag(data: bytes) -> bool:
    at = data.find(b"\nTo:")
    if at < 0:
        at = data.find(b"\nt:")
    return at >= 0 and b"tag=" not in data[at : data.find(b"\r", at)]
