"""The interpreter's own pauses, kept short: what its garbage collector looks through, and when.

A full collection looks at every object that may be part of a cycle: 0.1 s at 100,000 bindings, over
a second at a million. So what will live long is taken out of its sight (`gc.freeze`); such an
object still ends when nobody refers to it any more, as bindings do.
"""

from __future__ import annotations

import gc
import sys
from time import monotonic
from typing import Final

LONG_S: Final = 0.05
"""A collection that took so long looked at some 50,000 bindings that came since the latest freeze.
They are frozen in turn. Garbage in cycles that is on its way just then stays for good: what some
calls in progress hold, once in 50,000 new phones."""


def hold_collector() -> None:
    """Collect nothing while very much is made that stays. Call before the state is loaded."""
    gc.collect()
    gc.disable()


def settle_interpreter() -> None:
    """Keep the interpreter's own pauses short. Call once everything long-lived is made.

    What lives until the end (modules, configuration, restored bindings) is taken out of the
    collector's sight. No collection comes by itself any more: a call, a registration, a redirect
    and whatever else is done often leave nothing in cycles (tests/services/test_cycles.py), while what
    lingers of 2,000 calls a second made one last over 0.1 s. The engine calls `collect` at leisure.

    A thread that does the database's work may hold the interpreter for half a millisecond, not
    for five, when a message waits: with a thread busy 8 ms in every 28, the slowest hundredth of
    answers came after 5 ms instead of 12.
    """
    gc.freeze()
    sys.setswitchinterval(0.0005)


def collect() -> float:
    """One full collection; returns the seconds it took, and freezes what made it long."""
    began = monotonic()
    gc.collect()
    took = monotonic() - began
    if took >= LONG_S:
        gc.freeze()
    return took
