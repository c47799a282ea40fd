"""Timer values (RFC 3261 table 4) and the queue that keeps all running timers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.sip import timers
from sipengine.sip.timers import TimerQueue, next_interval


class Sleeper:
    def __init__(self, again: float = 0.0, queue: TimerQueue | None = None) -> None:
        self.due = 0.0
        self.woken: list[float] = []
        self._again, self._queue = again, queue

    def on_timer(self, now: float) -> None:
        self.woken.append(now)
        if self._again and self._queue is not None and len(self.woken) < 5:
            self._queue.start(self._again, now, self)


def test_table_4_values() -> None:
    assert (timers.T1, timers.T2, timers.T4) == (0.5, 4.0, 5.0)
    assert timers.TIMER_B == 64 * timers.T1
    assert timers.TIMER_C > 180  # §16.6 step 11
    assert timers.TIMER_D >= 32
    assert timers.TIMER_I == timers.TIMER_K == timers.T4


@pytest.mark.parametrize(
    ("interval", "left", "wait"),
    [
        (1.0, 5.0, 1.0),
        (4.0, 4.0, 4.0),
        (4.0, 2.5, 2.5),
        (32.0, 0.5, 0.5),
        (4.0, 2.3, 2.5),
        (64.0, 0.1, 0.5),
    ],
)
def test_next_interval_is_one_of_few_durations(interval: float, left: float, wait: float) -> None:
    assert next_interval(interval, left) == wait


def test_a_timer_wakes_once_when_it_is_due() -> None:
    queue, sleeper = TimerQueue(), Sleeper()
    queue.start(5, 100, sleeper)
    assert queue.next_due() == 105
    queue.expire(104.9)
    assert sleeper.woken == []
    queue.expire(105)
    queue.expire(200)
    assert sleeper.woken == [105]
    assert queue.next_due() is None


def test_a_later_start_replaces_the_earlier_whichever_is_sooner() -> None:
    for first, second in ((5, 9), (9, 5)):
        queue, sleeper = TimerQueue(), Sleeper()
        queue.start(first, 0, sleeper)
        queue.start(second, 0, sleeper)
        for now in range(20):
            queue.expire(now)
        assert sleeper.woken == [second]


def test_forgetting_it_is_cancelling_it() -> None:
    queue, sleeper = TimerQueue(), Sleeper()
    queue.start(5, 0, sleeper)
    sleeper.due = 0.0
    queue.expire(10)
    assert sleeper.woken == []
    assert len(queue) == 0


def test_a_sleeper_may_start_again_while_it_is_woken() -> None:
    queue = TimerQueue()
    sleeper = Sleeper(0.5, queue)
    queue.start(0.5, 0, sleeper)
    for step in range(40):
        queue.expire(step / 10)
    assert sleeper.woken == [0.5, 1.0, 1.5, 2.0, 2.5]


def test_one_late_wake_up_serves_all_that_are_due() -> None:
    queue = TimerQueue()
    sleepers = [Sleeper() for _ in range(10)]
    for at, sleeper in enumerate(sleepers):
        queue.start(float(at), 0, sleeper)
    queue.expire(100)
    assert all(sleeper.woken == [100] for sleeper in sleepers)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.5, 1.0, 4.0, 32.0]), st.sampled_from([0.0, 0.3, 2.0, 40.0])),
        max_size=30,
    )
)
def test_nobody_is_woken_early_twice_or_never(steps: list[tuple[float, float]]) -> None:
    queue, now = TimerQueue(), 1000.0
    waiting: list[tuple[float, Sleeper]] = []
    for duration, passing in steps:
        sleeper = Sleeper()
        queue.start(duration, now, sleeper)
        waiting.append((now + duration, sleeper))
        now += passing
        due = queue.next_due()
        assert due is None or due <= min((at for at, s in waiting if not s.woken), default=due)
        queue.expire(now)
        for at, sleeper in waiting:
            assert bool(sleeper.woken) == (at <= now)
            assert len(sleeper.woken) <= 1
