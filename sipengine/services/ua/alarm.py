"""A timer that calls a function."""

from __future__ import annotations

from collections.abc import Callable

from sipengine.sip.timers import TimerQueue


class Alarm:
    __slots__ = ("_call", "_timers", "due")

    def __init__(self, timers: TimerQueue, call: Callable[[float], None]) -> None:
        self._timers = timers
        self._call = call
        self.due = 0.0

    def start(self, duration: float, now: float) -> None:
        """Call once, `duration` seconds after `now`; an earlier start counts no more."""
        self._timers.start(duration, now, self)

    def stop(self) -> None:
        self.due = 0.0

    def on_timer(self, now: float) -> None:
        self.due = 0.0
        self._call(now)
