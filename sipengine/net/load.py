"""How busy this process is, and which share of what is new it has to refuse for it.

What counts is delay: how long the datagram read last had waited in the kernel, and how late the
timers are. Each has what the other does not see: a queue of datagrams grows while every wake-up
still comes in time, because a wake-up takes a bounded batch; many busy connections have no common
queue, but make each turn of the loop long.

A controller of RFC 8033's kind (PIE: the share follows the delay and its change) holds the delay at
TARGET_S: so the queue is never empty while work is refused, nor so old that phones repeat
themselves. Above it stand levels for the worst, left only well below where they began.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

TARGET_S: Final = 0.03
"""Delay wanted under too much load: some 100 calls in work, and far below T1 (0.5 s), after which
everybody would repeat himself and make it worse."""

GAIN: Final = 0.2
GAIN_OF_CHANGE: Final = 2.0
"""What a beat adds to the share for a second of delay too much, and for one that it grew. At twice
the load that can be done the delay grows by a second a second: half a second later half is refused,
and a call's further messages, up to some 0.2 s behind its first, do not make it swing."""

EASE: Final = 0.85
"""The share is multiplied by this at each beat without any delay: it ends within a second."""

LEAST: Final = 0.01
"""A smaller share is none."""

OLD: Final = (0.3, 0.1)
"""Seconds of delay at which everything new is refused, and below which no longer. Here two beats count:
one may be a garbage collection, two of these are load."""

FILL_UP: Final = (0.5, 0.8)
FILL_DOWN: Final = (0.4, 0.6)
"""Shares of a socket's receive buffer at which everything new is refused, and then dropped unread."""

FULL_BUFFER_S: Final = 0.25
"""The delay that a full buffer is taken for where the kernel does not tell its age."""

BEAT_S: Final = 0.05
"""Between two looks."""

BURST: Final = 4
"""Of so many beats the shortest delay counts for the share, as in CoDel (RFC 8289 §3.2): who sends much at once, a
commit of the database's on the same processor or a garbage collection makes a queue that empties
again within 0.2 s. Only one that stands is load."""


class Load:
    """`level` as in `services.overload`: 0 calm, 1 busy, 2 full, 3 overflowing; `share` of what is
    new is refused at level 1."""

    def __init__(self, told: Callable[[int, float], None] | None = None) -> None:
        """`told(level, share)` follows each change."""
        self._told = told
        self.level = 0
        self.share = 0.0
        self.rises = 0
        self._queues: dict[int, int] = {}  # file descriptor of a socket -> levels by its fill
        self._ages: dict[int, float] = {}  # file descriptor -> the oldest since the latest beat
        self._latest = deque([0.0] * BURST, BURST)  # delays, one of each beat
        self._standing = 0.0  # the shortest of those
        self._old = False

    def queued(self, socket: int, fill: float, age: float = 0.0) -> None:
        """A socket's receive buffer is full to this share, its latest datagram was so old (0: not
        known). Tell it after each full batch."""
        self._ages[socket] = max(self._ages.get(socket, 0.0), age or fill * FULL_BUFFER_S)
        self._filled(socket, fill)

    def emptied(self, socket: int) -> None:
        """A socket was read empty: whatever waited before was a burst. Tell it once after `queued`."""
        self._ages[socket] = 0.0
        self._filled(socket, 0.0)

    def _filled(self, socket: int, fill: float) -> None:
        level = _step(self._queues.get(socket, 0), fill)
        if level != self._queues.get(socket, 0):
            self._queues[socket] = level
            self._conclude()

    def beat(self, late: float) -> None:
        """Every BEAT_S; this one came so many seconds late."""
        self._latest.append(max(late, *self._ages.values()) if self._ages else late)
        self._ages.clear()
        delay, standing = min(self._latest[-1], self._latest[-2]), min(self._latest)
        if standing < TARGET_S / 4 and self._standing < TARGET_S / 4:
            self.share *= EASE
        else:
            change = standing - self._standing
            self.share += GAIN * (standing - TARGET_S) + GAIN_OF_CHANGE * change
        self.share = min(1.0, self.share) if self.share >= LEAST else 0.0
        self._standing = standing
        self._old = delay >= OLD[self._old]
        self._conclude()

    def _conclude(self) -> None:
        level = max(int(self.share > 0), 2 * self._old, *self._queues.values(), 0)
        if level > self.level:
            self.rises += 1
        if level or self.level:
            self.level = level
            if self._told is not None:
                self._told(level, self.share)


def _step(level: int, fill: float) -> int:
    """The level that a fill leads to, from the one before: 0, 2 or 3."""
    at = max(0, level - 1)
    while at < len(FILL_UP) and fill >= FILL_UP[at]:
        at += 1
    while at and fill < FILL_DOWN[at - 1]:
        at -= 1
    return at + 1 if at else 0
