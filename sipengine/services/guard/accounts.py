"""Guesses at one account: each failure beyond a few makes the next attempt wait longer.

Two counts: of one source at one account, which slows down a guesser whose address may not be
banned because a registered phone shares it; and of all strangers at one account, which slows down
many addresses that share the work, each below what a ban takes. Nothing locks an account: the pause ends, and the phone that is
registered on its own flow is never paused (`Flow.account`).
"""

from __future__ import annotations

from typing import Final

from sipengine.services.guard.sources import WINDOW

MAX_COUNTED: Final = 16_384
"""Pairs of source and account in each of two generations: some 5 MB."""

MAX_PAUSED: Final = 8_192
"""Pauses at once; they are short, so that more than this means that old ones can go."""

FREE_FAILURES: Final = 8
"""Wrong passwords from one source at one account before its attempts have to wait."""

FREE_FOR_ALL: Final = 50
"""Wrong passwords at one account from anywhere, before strangers' attempts at it have to wait."""

LONGEST_PAUSE: Final = 60.0
STRANGERS_PAUSE: Final = 1.0


class Accounts:
    def __init__(self) -> None:
        self.paused: dict[str, float] = {}
        """Who has to wait -> until when; mostly empty, which is all that a good request looks at."""
        self._young: dict[str, tuple[int, float]] = {}
        self._elder: dict[str, tuple[int, float]] = {}

    def wait(self, source: str, account: str, stranger: bool, now: float) -> float:
        """Seconds until an attempt from `source` at `account` is looked at; 0 for now."""
        until = self.paused.get(f" {account}" if stranger else f"{source} {account}", 0.0)
        return max(0.0, until - now)

    def failed(self, source: str, account: str, now: float) -> None:
        """A wrong password."""
        own = self._count(f"{source} {account}", now)
        if own > FREE_FAILURES:
            pause = min(LONGEST_PAUSE, 2.0 ** min(own - FREE_FAILURES, 10))
            self._pause(f"{source} {account}", now + pause, now)
        if self._count(f" {account}", now) > FREE_FOR_ALL:
            self._pause(f" {account}", now + STRANGERS_PAUSE, now)

    def passed(self, source: str, account: str) -> None:
        """The right password: what went before were slips of the fingers."""
        key = f"{source} {account}"
        self.paused.pop(key, None)
        self._young.pop(key, None)
        self._elder.pop(key, None)

    def sweep(self, now: float) -> None:
        """Forget the pauses that are over."""
        for key in [key for key, until in self.paused.items() if until <= now]:
            del self.paused[key]

    def _count(self, key: str, now: float) -> int:
        count, last = self._young.get(key) or self._elder.get(key) or (0, now)
        count = 1 if now - last > WINDOW else count + 1
        if len(self._young) >= MAX_COUNTED:
            self._elder = self._young
            self._young = {}
        self._young[key] = (count, now)
        return count

    def _pause(self, key: str, until: float, now: float) -> None:
        if len(self.paused) >= MAX_PAUSED:
            self.sweep(now)
            if len(self.paused) >= MAX_PAUSED:
                del self.paused[next(iter(self.paused))]
        self.paused[key] = until
