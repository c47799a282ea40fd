"""Facts out: one thread that carries journal lines to Postgres, in order, exactly once.

How far a journal was carried is a row that moves on in the same transaction as the facts. Whoever
commits must find the row where he left it, so a transaction whose outcome got lost with its
connection can neither be repeated nor overtaken. While the database is away the journal grows.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import psycopg
import structlog

from pbx.enginelink.connecting import connect, sentence
from pbx.enginelink.publisher import Publisher
from pbx.enginelink.rejected import Rejected
from pbx.enginelink.status import Status, store_status
from pbx.enginelink.storing import is_poison, store
from sipengine.journal import KIND_DAMAGED, START, Journal, JournalError, Line, Position

BATCH_LINES: Final = 2_000
BATCH_BYTES: Final = 2 * 1024 * 1024
"""Either bounds a transaction to some 100 ms, a few MB, and what a retry repeats."""
BACKLOG_BYTES: Final = 256 * 1024
"""So much left after a batch (some 600 lines) is a backlog: the next batch follows at once."""
PACE_S: Final = 0.3
"""A commit costs about 0.6 ms of processor however many rows it has; after a pause there is no wait."""
COMPLAIN_EVERY_S: Final = 10.0
RETRY_FIRST_S: Final = 0.1
RETRY_LAST_S: Final = 2.0

logger = structlog.get_logger()


class Overtaken(Exception):
    """Someone else moved the journal's position, or removed it: read it anew."""


class Recorder:
    """Owns one connection and the position. Order: `start`, `wake` any time, `close`."""

    def __init__(self, database_url: str, journal: Journal, publisher: Publisher) -> None:
        self._database_url = database_url
        self._journal = journal
        self._publisher = publisher
        self._rejected = Rejected(journal.directory)
        self._connection: psycopg.Connection | None = None
        self._position = START
        self._committed_at = 0.0
        self._complain_at = 0.0
        self._status: Status | None = None
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._run, name="journal-recorder", daemon=True)
        self.connected = False
        self.lines = 0
        self.batches = 0
        self.failures = 0
        self.cpu_s = 0.0

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There are new lines. Any thread, never blocks."""
        if not self._wake.is_set():
            self._wake.set()

    def store_status(self, status: Status) -> None:
        """Store `status` at the next occasion, in place of one that still waits."""
        self._status = status
        self._wake.set()

    def close(self, deadline_s: float) -> None:
        """Carry what is left, for at most `deadline_s` and only if the database answers."""
        self._deadline = time.monotonic() + deadline_s
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(deadline_s)

    @property
    def position(self) -> Position:
        """How far the journal was carried, as far as is known here."""
        return self._position

    def counters(self) -> dict[str, int | float]:
        """Lines and batches carried, lines put aside, bytes still to carry, failures."""
        return {
            "ship_connected": int(self.connected),
            "ship_lines": self.lines,
            "ship_batches": self.batches,
            "ship_rejected": self._rejected.count,
            "ship_failures": self.failures,
            "ship_cpu_s": self.cpu_s,
            "journal_pending_bytes": self._journal.pending_bytes(self._position),
        }

    # ------------------------------------------------------------------ on the thread

    def _run(self) -> None:
        retry_s = RETRY_FIRST_S
        while not self._closing.is_set() or self._may_go_on():
            try:
                connection = self._connected()
                self._carry(connection)
                self._say_status(connection)
            except (psycopg.Error, JournalError, OSError, Overtaken) as error:
                self._failed(error, first=retry_s == RETRY_FIRST_S)
            except Exception:
                # The thread's root: it must not end while the engine lives.
                logger.exception("journal cannot be shipped, trying again")
                self._failed(None, first=False)
            else:
                retry_s = RETRY_FIRST_S
                self.cpu_s = time.thread_time()
                self._rest()
                continue
            if self._closing.wait(retry_s):
                break
            retry_s = min(retry_s * 2, RETRY_LAST_S)
        self._disconnect()

    def _may_go_on(self) -> bool:
        left = self._has_more or self._status is not None
        return left and time.monotonic() < self._deadline

    @property
    def _has_more(self) -> bool:
        """Bytes, not places: a segment that a full disk left empty is further on and holds nothing."""
        return self._journal.pending_bytes(self._position) > 0

    def _rest(self) -> None:
        """Wait for work, then until `PACE_S` after the last commit, so that commits stay few."""
        if self._closing.is_set():
            return
        if not self._has_more:
            self._wake.wait()
        gathering = self._committed_at + PACE_S - time.monotonic()
        if gathering > 0:
            self._closing.wait(gathering)
        self._wake.clear()

    def _carry(self, connection: psycopg.Connection) -> None:
        """Carry one batch, and more at once while there is a backlog."""
        while lines := self._journal.batch(self._position, BATCH_LINES, BATCH_BYTES):
            self._carry_batch(connection, lines)
            self._committed_at = time.monotonic()
            self._journal.release(self._position)
            self._publisher.hint(line for line in lines if line.kind != KIND_DAMAGED)
            backlog = self._journal.pending_bytes(self._position) >= BACKLOG_BYTES
            if not (backlog or self._closing.is_set()) or self._committed_at >= self._deadline:
                return

    def _carry_batch(self, connection: psycopg.Connection, lines: list[Line]) -> None:
        """Store `lines` and move on; a line that cannot be stored is found by halving."""
        alone = len(lines) == 1
        if any(line.kind == KIND_DAMAGED for line in lines):
            if alone:
                self._skip(connection, lines[0], "its checksum does not hold")
            else:
                self._carry_halves(connection, lines)
            return
        end = lines[-1].end
        try:
            with connection.transaction():
                self._move_on(connection, end)
                store(connection, lines)
        except psycopg.Error as error:
            if not is_poison(error):
                raise
            if alone:
                self._skip(connection, lines[0], sentence(error))
            else:
                self._carry_halves(connection, lines)
            return
        self._position = end
        self.lines += len(lines)
        self.batches += 1

    def _carry_halves(self, connection: psycopg.Connection, lines: list[Line]) -> None:
        half = len(lines) // 2
        self._carry_batch(connection, lines[:half])
        self._carry_batch(connection, lines[half:])

    def _skip(self, connection: psycopg.Connection, line: Line, reason: str) -> None:
        """Put `line` aside, then move past it: a crash in between puts it aside twice, at worst."""
        try:
            self._rejected.put_aside(line, reason)
        except OSError as error:
            # Most likely the disk is full. Carrying on frees segments; waiting would free nothing.
            reason = f"{reason}; and it could not be put aside: {error.strerror}"
        if time.monotonic() >= self._complain_at:
            self._complain_at = time.monotonic() + COMPLAIN_EVERY_S
            logger.error(
                "journal lines cannot be stored and were put aside",
                file=str(self._rejected.path),
                so_far=self._rejected.count,
                last=reason,
            )
        with connection.transaction():
            self._move_on(connection, line.end)
        self._position = line.end

    def _move_on(self, connection: psycopg.Connection, end: Position) -> None:
        moved = connection.execute(
            'UPDATE enginelink_journalposition SET segment = %s, "offset" = %s'
            ' WHERE journal = %s AND segment = %s AND "offset" = %s',
            (*end, self._journal.id, *self._position),
        )
        if moved.rowcount != 1:
            raise Overtaken("the position of the journal was moved by someone else")

    def _say_status(self, connection: psycopg.Connection) -> None:
        status = self._status
        if status is not None:
            store_status(connection, status)
            if self._status is status:
                self._status = None

    def _connected(self) -> psycopg.Connection:
        if self._connection is None:
            connection = connect(self._database_url, "recorder")
            try:
                self._position = claim_position(connection, self._journal)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self.connected = True
        return self._connection

    def _failed(self, error: Exception | None, *, first: bool) -> None:
        self.failures += 1
        if first and error is not None:
            text = sentence(error) if isinstance(error, psycopg.Error) else str(error)
            logger.warning("facts wait in the journal", why=text)
        self._disconnect()

    def _disconnect(self) -> None:
        self.connected = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def claim_position(connection: psycopg.Connection, journal: Journal) -> Position:
    """Return how far `journal` was carried; makes its row if it has none. Raises `psycopg.Error`."""
    connection.execute(
        'INSERT INTO enginelink_journalposition (journal, segment, "offset")'
        " VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (journal.id, *START),
    )
    row = connection.execute(
        'SELECT segment, "offset" FROM enginelink_journalposition WHERE journal = %s',
        (journal.id,),
    ).fetchone()
    return Position(*row) if row else START
