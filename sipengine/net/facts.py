"""The beat of the facts: what the core wants remembered goes to disk before it is acknowledged.

Two ways (docs/decisions/0002-journal-first.md). What answers wait for is flushed to the disk by a
thread, one group commit at a time; a commit costs some 0.3 ms of processor whatever is in it, so
under load they are spaced. What became of calls is only written, by the loop itself: that outlives
a crash of the engine, takes some 10 µs and does not wait for the disk, which gets it within a second.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from sipengine.journal import JournalError, encode
from sipengine.sip.flow import Flow

if TYPE_CHECKING:
    from sipengine.net.endpoint import Endpoint

BEAT_S: Final = 0.02
"""From one commit's start to the next while answers wait for it: 50 a second at most, and an answer
waits 10 ms on average. Shorter beats cost more than they please: each is three wake-ups."""

EASY_BEAT_S: Final = 0.05
"""How long steps of a call may wait (it rings, a phone said no), so that several make one line.
That a call was answered or ended is written at once: nobody would tell it a second time."""

SYNC_S: Final = 1.0
"""What no answer waits for is flushed to disk by then: so much of the call log a power failure costs."""

REFUSES_S: Final = 60.0
"""After a write that failed; the next that is done ends it at once, but nothing may come for long."""

Held = list[tuple[Flow, bytes]]


class JournalPort(Protocol):
    def write(self, lines: list[bytes], sync: bool) -> object:
        """Append and, with `sync`, flush to disk. Blocks; raises JournalError or OSError, having
        written nothing."""
        ...

    def sync(self) -> object:
        """Flush what was written without `sync`. Blocks; raises OSError."""
        ...


class FactsBeat:
    """Takes facts from the core when it has some, makes them durable, then lets the answers go."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        endpoint: Endpoint,
        journal: JournalPort,
        written: Callable[[], None],
        failed: Callable[[str], None],
    ) -> None:
        """`written()` follows each commit, `failed(why)` each that could not be made; on the loop."""
        self._loop = loop
        self._endpoint = endpoint
        self._journal = journal
        self._written = written
        self._failed = failed
        self._work: SimpleQueue[tuple[list[bytes], Held] | None] = SimpleQueue()  # no lines: sync
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()
        self._timer: asyncio.TimerHandle | None = None
        self._sync_timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._began = 0.0
        self._took_all = 0.0
        self._idle = asyncio.Event()
        self._idle.set()
        self.commits = self.facts = self.lost = 0
        self._refused_at = -REFUSES_S
        self._longest = 0.0

    def wanted(self, now: float) -> None:
        """The core has facts: commit, write, or set the timer to do it at the next beat."""
        if self._busy:
            return
        core = self._endpoint.core
        if core.answers_waiting:
            due = self._began + BEAT_S
        elif core.facts_pressing:
            due = now
        else:
            due = self._took_all + EASY_BEAT_S
        if self._timer is not None:
            if due >= self._timer.when():
                return
            self._timer.cancel()
            self._timer = None
        if due <= now:
            self._begin()
        else:
            self._timer = self._loop.call_at(due, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._began = monotonic()
        if self._busy:  # a flush: its end asks again
            return
        core = self._endpoint.core
        in_between = self._began < self._took_all + EASY_BEAT_S and not core.answers_waiting
        facts, held = core.take_facts(in_between and core.facts_pressing)
        if not in_between:
            self._took_all = self._began
        lines = [encode(fact) for fact in facts]
        self.facts += len(lines)
        if held:
            self._hand_over((lines, held))
            return
        why = self._try(lines, sync=False)
        self._concluded(len(lines), held, why)
        if not why and self._sync_timer is None:
            self._sync_timer = self._loop.call_later(SYNC_S, self._sync)

    def _sync(self) -> None:
        self._sync_timer = None
        if self._busy:  # the flush that goes on takes everything along that is written
            return
        self._hand_over(([], []))

    def _hand_over(self, work: tuple[list[bytes], Held]) -> None:
        self._busy = True
        self._idle.clear()
        self._work.put(work)

    def _try(self, lines: list[bytes], sync: bool) -> str:
        """Write; returns why it failed, "" if it did not."""
        try:
            if lines:
                self._journal.write(lines, sync)
            elif sync:
                self._journal.sync()
        except (JournalError, OSError) as error:
            return str(error)
        return ""

    def _write(self) -> None:
        """The thread: one commit after the other until `finish` sends None."""
        while (work := self._work.get()) is not None:
            lines, held = work
            why = self._try(lines, sync=True)
            try:
                self._loop.call_soon_threadsafe(self._committed, len(lines), held, why)
            except RuntimeError:  # the loop was closed without `finish`: nobody waits any more
                return

    def _committed(self, count: int, held: Held, why: str) -> None:
        self._busy = False
        self._longest = max(self._longest, monotonic() - self._began)
        self._concluded(count, held, why)
        self._endpoint.drain(monotonic())  # begins the next commit if the beat is over
        if not self._busy:
            self._idle.set()

    def _concluded(self, count: int, held: Held, why: str) -> None:
        """Let the answers go, or take them back if the facts could not be written."""
        if why:
            self._refused_at = monotonic()
            self.lost += count
            self._failed(why)
            self._endpoint.core.facts_lost()
            return
        if held:  # maybe without a fact: a contact was taken back that was not there
            self._endpoint.send(held)
        if count:
            self._refused_at = -REFUSES_S
            self.commits += 1
            self._written()

    async def finish(self) -> None:
        """Make durable what the core still has, then end the thread. Bound it by a timeout.

        What a full disk does not take now is lost: the core would offer it again for ever.
        """
        lost = self.lost
        while True:
            for timer in (self._timer, self._sync_timer):
                if timer is not None:
                    timer.cancel()
            self._timer = self._sync_timer = None
            if self._busy:
                await self._idle.wait()
            elif self._endpoint.core.facts_waiting and self.lost == lost:
                self._begin()
            else:
                break
        self._work.put(None)
        self._thread.join()
        self._try([], sync=True)

    def take_longest(self) -> float:
        """The longest from a commit's start to its answers since last asked, in seconds."""
        longest = self._longest
        self._longest = 0.0
        return longest

    def counters(self) -> dict[str, int]:
        return {
            "journal_commits": self.commits,
            "journal_facts": self.facts,
            "journal_facts_lost": self.lost,
            "journal_refuses_now": int(monotonic() - self._refused_at < REFUSES_S),
        }
