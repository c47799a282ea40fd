"""Timer values of RFC 3261 §17 (table 4) and the one structure that keeps all running timers."""

from __future__ import annotations

from collections import deque
from math import ceil, inf
from typing import Final, Protocol

T1: Final = 0.5
"""Estimate of the round trip, seconds."""
T2: Final = 4.0
"""Longest interval between retransmissions of a non-INVITE request or of an INVITE's answer."""
T4: Final = 5.0
"""How long a message may stay in the network."""
TIMER_B: Final = 64 * T1
"""Also timers F, H, J, L, M: how long a transaction tries, or absorbs what comes late."""
TIMER_C: Final = 181.0
"""Proxy INVITE transaction (§16.6 step 11): more than three minutes."""
TIMER_D: Final = 32.0
TIMER_I: Final = T4
TIMER_K: Final = T4


def next_interval(interval: float, left: float) -> float:
    """How long until the next retransmission when `left` seconds remain for the transaction.

    If that is less than the interval, nothing more is sent: the wait is for the end, in whole T1,
    as `TimerQueue` wants durations from a small set.
    """
    return interval if interval <= left else ceil(left / T1) * T1


class Timed(Protocol):
    """Something that asked to be woken. It keeps the `due` it waits for and ignores any other."""

    due: float

    def on_timer(self, now: float) -> None: ...


class TimerQueue:
    """All running timers: a queue per duration, so that starting and expiring cost one append and one pop.

    Durations come from a small set (the timers above, doublings of T1, whole seconds of rules),
    so there are at most a few hundred queues. A timer is cancelled by forgetting it: set `due`
    to something else and its entry means nothing when it comes up.
    """

    __slots__ = ("_queues", "_soonest")

    def __init__(self) -> None:
        self._soonest = inf
        self._queues: dict[float, deque[tuple[float, Timed]]] = {}

    def start(self, duration: float, now: float, who: Timed) -> None:
        """Wake `who` once, `duration` seconds after `now`; replaces the timer it waited for."""
        due = now + duration
        who.due = due
        if due < self._soonest:
            self._soonest = due
        queue = self._queues.get(duration)
        if queue is None:
            queue = self._queues[duration] = deque()
        queue.append((due, who))

    def next_due(self) -> float | None:
        """When the next entry comes up (perhaps one that means nothing any more)."""
        return None if self._soonest == inf else self._soonest

    def expire(self, now: float) -> None:
        """Wake everybody whose time has come."""
        for queue in list(self._queues.values()):
            while queue and queue[0][0] <= now:
                due, who = queue.popleft()
                if who.due == due:
                    who.on_timer(now)
        self._soonest = min((queue[0][0] for queue in self._queues.values() if queue), default=inf)

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())
