"""The selector that lets messages gather under load, and only then."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sipengine.net import gathering
from sipengine.net.gathering import BEGIN, END, PAUSE_S, WINDOW_S, GatheringSelector


class Clock:
    """Stands in for the time module: what was slept, and what time it is."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(gathering, "time", clock)
    return clock


@pytest.fixture
def selector(clock: Clock) -> Iterator[GatheringSelector]:
    """A selector with a socket that is always ready."""
    here, there = socket.socketpair()
    with here, there, GatheringSelector() as selector:
        selector.register(here, gathering.selectors.EVENT_READ)
        there.send(b"x")
        clock.now += WINDOW_S
        selector.select(1.0)
        yield selector


def wake_up(selector: GatheringSelector, clock: Clock, times: int) -> None:
    """Wake up so often in one window; the last one ends it."""
    for _ in range(times - 1):
        assert len(selector.select(1.0)) == 1
    clock.now += WINDOW_S
    selector.select(1.0)


def test_few_wake_ups_never_wait(selector: GatheringSelector, clock: Clock) -> None:
    for _ in range(5):
        wake_up(selector, clock, BEGIN - 10)
    assert clock.slept == []


def test_many_wake_ups_begin_the_pauses_and_few_end_them(
    selector: GatheringSelector, clock: Clock
) -> None:
    wake_up(selector, clock, BEGIN + 10)
    assert selector.gathering
    wake_up(selector, clock, END + 10)
    assert set(clock.slept) == {PAUSE_S}
    assert selector.gathering
    wake_up(selector, clock, END - 10)
    assert not selector.gathering


def test_a_timer_that_is_due_is_not_held_up(selector: GatheringSelector, clock: Clock) -> None:
    wake_up(selector, clock, BEGIN + 10)
    clock.slept.clear()
    selector.select(0)
    selector.select(PAUSE_S / 2)
    assert clock.slept == []
