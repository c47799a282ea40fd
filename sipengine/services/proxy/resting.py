"""Servers that failed a moment ago and are left in peace (RFC 3261 §21.5.4, RFC 3263 §4.3)."""

from __future__ import annotations

from typing import Final

from sipengine.sip.next_hop import Server

REST_S: Final = 60.0
"""After silence or a refused connection: each call that tried it meanwhile would wait in vain."""
LONGEST_REST_S: Final = 600.0
"""Of what a Retry-After may ask for: a server that errs in it is not lost for a day."""
MAX_RESTING: Final = 1024


class Resting:
    """Places at rest. They are tried last, not never: where all rest, one of them may be back."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[Server, float] = {}

    def put(self, server: Server, seconds: float, now: float) -> None:
        self._until.pop(server, None)
        if len(self._until) >= MAX_RESTING:
            del self._until[next(iter(self._until))]
        self._until[server] = now + min(seconds, LONGEST_REST_S)

    def wake(self, server: Server) -> None:
        """It answered."""
        self._until.pop(server, None)

    def last(self, servers: tuple[Server, ...], now: float) -> list[Server]:
        """The same servers, those at rest behind the others, otherwise in their order."""
        if not self._until:
            return list(servers)
        return sorted(servers, key=lambda server: self._until.get(server, 0.0) > now)


def seconds_of(retry_after: str) -> float:
    """The seconds of a Retry-After header (§20.33), 0 if it has none."""
    digits = retry_after.strip().partition(";")[0].partition("(")[0].strip()
    return float(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0.0
