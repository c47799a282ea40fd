"""The one place where tests poll: until something holds, or a deadline has passed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_S = 0.02
"""Between two looks: short beside any deadline, long enough to leave the processor to others."""


def until(
    look: Callable[[], T],
    what: str,
    *,
    deadline: float = 5.0,
    pause: float = PAUSE_S,
    explain: Callable[[], str] | None = None,
) -> T:
    """Call `look` until its result is true and return that result.

    Raises AssertionError after `deadline` seconds, saying `what` was waited for, what was seen
    last and, where given, what `explain()` has to add (the end of a log).
    """
    end = time.monotonic() + deadline
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() >= end:
            more = f"\n{explain()}" if explain else ""
            raise AssertionError(f"waited {deadline:g} s for {what}; last seen: {seen!r}{more}")
        time.sleep(pause)


async def eventually(
    look: Callable[[], T], deadline: float = 5.0, what: str = "that", pause: float = 0.005
) -> T:
    """As `until`, while the loop goes on."""
    end = time.monotonic() + deadline
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() >= end:
            raise AssertionError(f"waited {deadline:g} s for {what}; last seen: {seen!r}")
        await asyncio.sleep(pause)
