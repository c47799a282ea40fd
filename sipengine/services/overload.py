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
"""A share of the new requests without credentials is refused."""
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


class Admission:
    """Decides about requests outside of any dialog. Set `level`, and the `share` that BUSY refuses.

    Refused are every second, third … and not some at random: what is admitted comes evenly.
    """

    def __init__(self) -> None:
        self.level = CALM
        self.share = 1.0
        self._owed = 0.0
        self._passed = False  # the quick way has decided already, about the request in work

    def admits(self, message: Message) -> bool:
        """Whether a request is taken, which the quick way may have looked at before."""
        if self.level == CALM or message.method not in REFUSED:
            return True
        has_credentials = message.has("Authorization") or message.has("Proxy-Authorization")
        return self._passed or self.takes_next(has_credentials)

    def takes_next(self, has_credentials: bool) -> bool:
        """Whether the next request is taken; a refused one is counted."""
        self._passed = False
        if self.level >= FULL:
            return False
        if not has_credentials:
            self._owed += self.share
            if self._owed >= 1.0:
                self._owed -= 1.0
                return False
        self._passed = True
        return True

    def looks_anew(self) -> None:
        """Another message comes."""
        self._passed = False


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
