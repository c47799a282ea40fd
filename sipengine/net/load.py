"""How busy this process is: what waits for it in the kernel, and how late its timers are.

Two signs, for each has what the other does not see. A queue of datagrams grows while every wake-up
still comes in time, because a wake-up takes a bounded batch. Many busy connections have no common
queue, but make each turn of the loop long. Every level is left only well below where it began.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FILL_UP: Final = (0.2, 0.5, 0.8)
FILL_DOWN: Final = (0.15, 0.4, 0.6)
"""Shares of a socket's receive buffer. A fifth is some 700 datagrams: 40 to 70 ms of work, well below
T1 (0.5 s), after which everybody would repeat himself and make it worse. The first level ends
while there is still a queue, so that the engine never waits for work that it has just refused."""

LATE_UP: Final = (0.1, 0.25)
LATE_DOWN: Final = (0.03, 0.1)
"""Seconds that timers are late; beyond the second level nothing is dropped for it, as connections
hold their senders back by themselves."""

BEAT_S: Final = 0.05
"""Between two looks at the clock. One late beat may be a garbage collection; two are load."""


class Load:
    """`level` as in `services.overload`: 0 calm, 1 busy, 2 full, 3 overflowing."""

    def __init__(self, told: Callable[[int], None] | None = None) -> None:
        """`told(level)` follows each change of the level."""
        self._told = told
        self.level = 0
        self.rises = 0
        self._queues: dict[int, int] = {}  # file descriptor of a socket -> its level
        self._lateness = 0
        self._last_late = 0.0

    def queued(self, socket: int, fill: float) -> None:
        """A socket's receive buffer is full to this share. Tell it after each full batch, and 0
        after one that was not, while `waiting` holds."""
        self._queues[socket] = _step(self._queues.get(socket, 0), fill, FILL_UP, FILL_DOWN)
        self._conclude()

    def waiting(self, socket: int) -> bool:
        return self._queues.get(socket, 0) > 0

    def late(self, seconds: float) -> None:
        """A beat came so late."""
        both = min(seconds, self._last_late)
        self._last_late = seconds
        self._lateness = _step(self._lateness, both, LATE_UP, LATE_DOWN)
        self._conclude()

    def _conclude(self) -> None:
        level = max(self._lateness, *self._queues.values(), 0)
        if level > self.level:
            self.rises += 1
        if level != self.level:
            self.level = level
            if self._told is not None:
                self._told(level)


def _step(level: int, value: float, up: tuple[float, ...], down: tuple[float, ...]) -> int:
    while level < len(up) and value >= up[level]:
        level += 1
    while level and value < down[level - 1]:
        level -= 1
    return level
