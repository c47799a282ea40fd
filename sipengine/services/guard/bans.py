"""Who is shut out, until when, and for the how manieth time; each ban is a fact for the journal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, Protocol
from uuid import UUID

from sipengine.api import BanRecord, Fact, Pardon
from sipengine.services.this_process import ThisProcess

DURATIONS: Final = (300.0, 3600.0, 86_400.0)
"""The first ban, the second, and all others: 5 minutes, an hour, a day."""

REMEMBERED: Final = 7 * 86_400.0
"""Who comes back to it within this time after a ban gets the next longer one."""

MAX_SHUT: Final = 65_536
"""Sources shut out at once: some 20 MB. With more the oldest goes, which then has to fail anew."""

MAX_HISTORY: Final = 65_536

REPORT_S: Final = 10.0
"""Between two reports of how much was dropped, for bans that go on."""

MAX_REPORTS: Final = 100
"""Reports at once, so that a thousand banned addresses do not make a thousand facts."""


class BansListener(Protocol):
    """Whoever must hear who is shut out: the sockets of other processes of this engine."""

    def shut_out(self, source: str, until: float) -> None:
        """`until` is wall-clock time."""
        ...

    def let_in(self, source: str) -> None:
        """Before its time was over."""
        ...


class Shut:
    """A source that nothing is taken from until `until` (monotonic); `record` is None for a pause."""

    __slots__ = ("dropped", "record", "reported", "until")

    def __init__(self, until: float, record: BanRecord | None, dropped: int = 0) -> None:
        self.until = until
        self.record = record
        self.dropped = self.reported = dropped


class Bans:
    """`process` makes wall-clock time of monotonic time; `unique` begins the ids of this process's bans."""

    def __init__(self, facts: list[Fact], process: ThisProcess, unique: str) -> None:
        self.shut: dict[str, Shut] = {}
        """By source; empty nearly always, and then nobody pays for it."""
        self._facts = facts
        self._process = process
        self._unique = unique
        self._history: dict[str, tuple[int, float]] = {}  # source -> level, end (wall)
        self._pardons: dict[str, Pardon] = {}
        self._report_at = 0.0
        self.total = 0
        self.listener: BansListener | None = None

    # ------------------------------------------------------------------ shutting out

    def ban(self, source: str, kind: str, reason: str, count: int, now: float) -> None:
        """Shut `source` out, longer each time."""
        wall = now + self._process.offset
        level, ended = self._history.get(source, (0, 0.0))
        level = min(level + 1, len(DURATIONS)) if wall - ended < REMEMBERED else 1
        seconds = DURATIONS[level - 1]
        self.total += 1
        record = BanRecord(
            id=self._new_id(),
            revision=1,
            source=source,
            kind=kind,
            reason=reason,
            count=count,
            level=level,
            since=wall,
            until=wall + seconds,
            dropped=0,
            lifted_at=None,
            lifted_by="",
        )
        self._remember(source, level, record.until)
        self._shut(source, Shut(now + seconds, record))
        self._facts.append(_copy(record))
        if self.listener is not None:
            self.listener.shut_out(source, record.until)

    @property
    def standing(self) -> list[tuple[str, float]]:
        """Every banned source, and until when in wall-clock time."""
        return [(source, e.record.until) for source, e in self.shut.items() if e.record is not None]

    def is_banned(self, source: str) -> bool:
        entry = self.shut.get(source)
        return entry is not None and entry.record is not None

    def pause(self, source: str, seconds: float, now: float) -> None:
        """Take nothing from `source` for a moment; no fact, no escalation."""
        if source not in self.shut and len(self.shut) < MAX_SHUT:
            self._shut(source, Shut(now + seconds, None))

    def _shut(self, source: str, entry: Shut) -> None:
        self.shut.pop(source, None)
        if len(self.shut) >= MAX_SHUT:
            del self.shut[next(iter(self.shut))]
        self.shut[source] = entry

    def _remember(self, source: str, level: int, end: float) -> None:
        self._history.pop(source, None)
        if len(self._history) >= MAX_HISTORY:
            del self._history[next(iter(self._history))]
        self._history[source] = (level, end)

    def _new_id(self) -> str:
        digest = hashlib.blake2s(f"{self._unique} {self.total}".encode(), digest_size=16).digest()
        return str(UUID(bytes=digest, version=4))

    # ------------------------------------------------------------------ opening again

    def sweep(self, now: float) -> None:
        """Once a second: let in whose time is over, and report how much was dropped."""
        for source in [s for s, entry in self.shut.items() if entry.until <= now]:
            entry = self.shut.pop(source)
            if entry.dropped != entry.reported:
                self._report(entry)
        if now >= self._report_at:
            self._report_at = now + REPORT_S
            changed = [e for e in self.shut.values() if e.dropped != e.reported]
            for entry in changed[:MAX_REPORTS]:
                self._report(entry)

    def _report(self, entry: Shut) -> None:
        record = entry.record
        if record is not None:
            entry.reported = record.dropped = entry.dropped
            record.revision += 1
            self._facts.append(_copy(record))

    def pardon(self, pardons: Iterable[Pardon], wall: float) -> list[str]:
        """Lift the bans that a person lifted; returns the sources let in by it.

        All pardons that still count are given each time: those already followed change nothing.
        """
        self._pardons = {pardon.ban: pardon for pardon in pardons}
        opened: list[str] = []
        if not self._pardons:
            return opened
        for source, entry in list(self.shut.items()):
            record = entry.record
            pardon = self._pardons.get(record.id) if record is not None else None
            if record is None or pardon is None:
                continue
            self.lift(source, pardon.by, wall)
            opened.append(source)
        return opened

    def lift(self, source: str, by: str, wall: float) -> None:
        """Let `source` in again, if it is shut out: it was no offence, so the next is the first."""
        entry = self.shut.pop(source, None)
        self._history.pop(source, None)
        if self.listener is not None:
            self.listener.let_in(source)
        if entry is not None and entry.record is not None:
            entry.record.lifted_at = wall
            entry.record.lifted_by = by
            self._report(entry)

    def restore(self, records: Iterable[BanRecord], now: float) -> None:
        """Take up what earlier processes decided: bans that go on, and who was banned lately."""
        wall = now + self._process.offset
        for record in sorted(records, key=lambda r: r.until):
            if record.lifted_at is not None:
                self._history.pop(record.source, None)
                continue
            self._remember(record.source, record.level, record.until)
            if record.until > wall:
                until = now + record.until - wall
                self._shut(record.source, Shut(until, record, record.dropped))
        self.pardon(list(self._pardons.values()), wall)


def _copy(record: BanRecord) -> BanRecord:
    """As it is now: the original goes on changing before the journal has it."""
    return BanRecord(
        record.id, record.revision, record.source, record.kind, record.reason, record.count,
        record.level, record.since, record.until, record.dropped, record.lifted_at, record.lifted_by,
    )  # fmt: skip
