"""Messages kept for users who are away (RFC 3428 §7: a relay may store and forward)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sipengine.api import Fact, KeptMessage, KeptMessageGone

KEPT_FOR: Final = 7 * 86400.0
"""Seconds; the sender may ask for less by Expires."""
MAX_OF_USER: Final = 100
MAX_TOTAL: Final = 50_000
"""Of at most 1300 octets each: 150 MB."""

EXPIRED: Final = "expired"
DELIVERED: Final = "delivered"


class Kept:
    """By AOR, oldest first. Every change appends its fact to `facts`.

    `unique` are 15 hex digits that no other process has.
    """

    __slots__ = ("_count", "_facts", "_of_aor", "_total", "_unique")

    def __init__(self, facts: list[Fact], unique: str) -> None:
        self._facts = facts
        self._unique = unique
        self._count = 0
        self._total = 0
        self._of_aor: dict[str, dict[str, KeptMessage]] = {}

    def __len__(self) -> int:
        return self._total

    def __contains__(self, aor: str) -> bool:
        return aor in self._of_aor

    def has_room(self, aor: str) -> bool:
        return self._total < MAX_TOTAL and len(self._of_aor.get(aor, ())) < MAX_OF_USER

    def identity(self, wall: float) -> str:
        """A UUID of version 7 (RFC 9562 §5.7): later ones sort behind earlier ones."""
        self._count += 1
        millis = int(wall * 1000)
        unique = self._unique
        return (
            f"{millis >> 16 & 0xFFFFFFFF:08x}-{millis & 0xFFFF:04x}-7{self._count & 0xFFF:03x}"
            f"-8{unique[:3]}-{unique[3:]}"
        )

    def add(self, message: KeptMessage) -> None:
        self._insert(message)
        self._facts.append(message)

    def first(self, aor: str, wall: float) -> KeptMessage | None:
        """The oldest that is still worth delivering."""
        for message in list(self._of_aor.get(aor, {}).values()):
            if message.expires_at > wall:
                return message
            self.remove(message, EXPIRED, wall)
        return None

    def remove(self, message: KeptMessage, why: str, wall: float) -> None:
        if self._forget(message):
            self._facts.append(KeptMessageGone(message.id, why, wall))

    def expire(self, wall: float) -> None:
        """Throw away what nobody fetched in time."""
        for messages in list(self._of_aor.values()):
            for message in list(messages.values()):
                if message.expires_at <= wall:
                    self.remove(message, EXPIRED, wall)

    def lost(self, facts: Iterable[Fact]) -> None:
        """These facts could not be made durable: their senders were told so."""
        for fact in facts:
            if isinstance(fact, KeptMessage):
                self._forget(fact)

    def restore(self, messages: Iterable[KeptMessage]) -> None:
        for message in sorted(messages, key=lambda m: (m.sent_at, m.id)):
            self._insert(message)

    def _insert(self, message: KeptMessage) -> None:
        self._of_aor.setdefault(message.recipient, {})[message.id] = message
        self._total += 1

    def _forget(self, message: KeptMessage) -> bool:
        mine = self._of_aor.get(message.recipient)
        if mine is None or mine.pop(message.id, None) is None:
            return False
        self._total -= 1
        if not mine:
            del self._of_aor[message.recipient]
        return True
