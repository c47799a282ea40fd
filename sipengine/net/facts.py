"""The beat of the facts: what the core wants remembered goes to disk before it is acknowledged.

One thread writes, one group commit at a time (docs/decisions/0002-journal-first.md). A commit
costs some 0.3 ms of processor and a disk flush whatever is in it, so under load they are spaced.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic, time
from typing import TYPE_CHECKING, Final, Protocol

from sipengine.journal import JournalError, encode
from sipengine.sip.flow import Flow

if TYPE_CHECKING:
    from sipengine.net.endpoint import Endpoint

BEAT_S: Final = 0.02
"""From one commit's start to the next while answers wait for it: 50 a second at most, and an answer
waits 10 ms on average. Shorter beats cost more than they please: each is three wake-ups."""

EASY_BEAT_S: Final = 0.05
"""The same while no answer waits: what happened to calls is written a little later, so that a call
that is set up meanwhile costs one line. A crash of the engine loses what it had not written yet."""

SYNC_S: Final = 1.0
"""What no answer waits for is flushed to disk by then: a crash of the machine costs no more of the
call log, a crash of the engine nothing. A flush costs as much processor as ten such writes."""

Held = list[tuple[Flow, bytes]]


class JournalPort(Protocol):
    def write(self, lines: list[bytes], sync: bool) -> object:
        """Append and, with `sync`, flush to disk. Blocks; raises JournalError or OSError, having
        written nothing."""
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
        self._work: SimpleQueue[tuple[list[bytes], Held] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._began = 0.0
        self._idle = asyncio.Event()
        self._idle.set()
        self.commits = self.facts = self.lost = 0
        self._longest = 0.0

    def wanted(self, now: float) -> None:
        """The core has facts: at once if the last commit is a beat ago, else at the next beat."""
        if self._busy:
            return
        urgent = self._endpoint.core.answers_waiting
        due = self._began + (BEAT_S if urgent else EASY_BEAT_S)
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
        facts, held = self._endpoint.core.take_facts(time())
        lines = [encode(fact) for fact in facts]
        self.facts += len(lines)
        self._busy = True
        self._idle.clear()
        self._work.put((lines, held))

    def _write(self) -> None:
        """The thread: one commit after the other until `finish` sends None."""
        synced = 0.0
        while (work := self._work.get()) is not None:
            lines, held = work
            why = ""
            now = monotonic()
            sync = bool(held) or now - synced >= SYNC_S
            if sync:
                synced = now
            try:
                self._journal.write(lines, sync)
            except (JournalError, OSError) as error:
                why = str(error)
            try:
                self._loop.call_soon_threadsafe(self._committed, len(lines), held, why)
            except RuntimeError:  # the loop was closed without `finish`: nobody waits any more
                return

    def _committed(self, count: int, held: Held, why: str) -> None:
        now = monotonic()
        self._longest = max(self._longest, now - self._began)
        self._busy = False
        if why:
            self.lost += count
            self._failed(why)
            self._endpoint.core.facts_lost(held, now)
        else:
            self.commits += 1
            self._endpoint.send(held)
            self._written()
        self._endpoint.drain(now)  # begins the next commit if the beat is over
        if not self._busy:
            self._idle.set()

    async def finish(self) -> None:
        """Make durable what the core still has, then end the thread. Bound it by a timeout."""
        while True:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._busy:
                await self._idle.wait()
            elif self._endpoint.core.facts_waiting:
                self._begin()
            else:
                break
        self._work.put(None)
        self._thread.join()

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
        }
