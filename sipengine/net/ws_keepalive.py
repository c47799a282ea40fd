"""Signs of life of WebSocket clients (RFC 7118 §6): a ping after a silence, the end after a second."""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Pinged(Protocol):
    active_at: float
    """When a byte last came, in monotonic seconds."""

    @property
    def is_open(self) -> bool: ...
    def ping(self) -> None: ...
    def go_silent(self) -> None:
        """It gave no sign of life: end it."""
        ...


class KeepAlives:
    """Looks at each connection once an interval, so that ten thousand cost 330 looks a second."""

    def __init__(self, interval_s: float) -> None:
        self._interval = interval_s
        self._waiting: deque[tuple[float, float, Pinged]] = deque()  # look at, pinged at or 0, flow

    def add(self, flow: Pinged, now: float) -> None:
        self._waiting.append((now + self._interval, 0.0, flow))

    def look(self, now: float) -> None:
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            _, pinged_at, flow = waiting.popleft()
            if not flow.is_open:
                continue
            if now - flow.active_at < self._interval:
                pinged_at = 0.0
            elif pinged_at and flow.active_at < pinged_at:
                flow.go_silent()
                continue
            else:
                flow.ping()
                pinged_at = now
            waiting.append((now + self._interval, pinged_at, flow))
