"""The one door between the engine and Postgres: configuration in, facts out.

For the engine's composition root only. Nothing here imports Django; every query runs on one of
three database threads (configuration, facts, commands), never on the caller's loop:

    link = Link.of(environment)
    start = link.start()                     # blocks: once, before sockets open
    link.watch(lambda snapshot: loop.call_soon_threadsafe(core.configure, snapshot))
    ...
    line = encode(fact)                      # on the loop
    link.journal.write(lines)                # blocks: group commit, in a thread
    link.notify_written()                    # then, from any thread
    link.publish_status(counters)            # every 5 s
    link.take_commands(on_command)           # and link.say(id, words, succeeded)
    ...
    link.close(deadline_s=3.0)               # blocks: ships what it can
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psycopg
from psycopg import errors

from pbx.enginelink.connecting import connect, sentence
from pbx.enginelink.engine_process import ONLY, EngineProcess
from pbx.enginelink.left_journals import carry, carry_left_journals
from pbx.enginelink.listener import Listener
from pbx.enginelink.publisher import Publisher, nowhere
from pbx.enginelink.recorder import Recorder
from pbx.enginelink.restoring import restore
from pbx.enginelink.status import Status, forget_status_of_others
from pbx.enginelink.taking import CommandTaker, OnCommand
from pbx.environment import Environment
from sipengine.api import BindingRecord, ConfigSnapshot, RefusedPhone, Restored
from sipengine.journal import Journal, JournalError

RETRY_S: Final = 0.1
PATIENCE_S: Final = 5.0
"""How long `start` keeps trying a database that does not answer: it may be starting up itself."""


class LinkError(Exception):
    """The engine cannot start; the message is one sentence that names what and how to mend it."""


@dataclass(frozen=True, slots=True)
class Start:
    """What the engine begins with: the configuration, and who was registered and talking.

    The bindings are read from the database while they are gone through; that may raise `LinkError`.
    """

    snapshot: ConfigSnapshot
    restored: Restored


class Link:
    """The bridge of one engine. Order: `start`, `watch`, anything, `close`."""

    journal: Journal
    """Open after `start`: `journal.write(lines)` in a thread, then `notify_written()`."""

    def __init__(
        self,
        database_url: str,
        journal_directory: Path,
        redis_url: Callable[[], str] = nowhere,
        process: EngineProcess = ONLY,
    ) -> None:
        """Name the parts; nothing is opened yet. `journal_directory` is the one process's or the owner's;
        those of workers lie in it.

        `redis_url` returns "" while there is no Redis to tell.
        """
        self._database_url = database_url
        self._journal_directory = process.journal(journal_directory)
        self._process = process
        self._started_at = time.time()
        self._listener = Listener(database_url)
        self._taker = CommandTaker(database_url)
        self._publisher = Publisher(redis_url)
        self._recorder: Recorder | None = None
        self._restoring: psycopg.Connection | None = None

    @classmethod
    def of(cls, environment: Environment, process: EngineProcess = ONLY) -> Link:
        """The link of the engine that `environment` describes, or of one process of it."""
        return cls(
            environment.database_url,
            environment.data_dir / "journal",
            lambda: environment.redis_url,
            process,
        )

    def start(self, patience_s: float = PATIENCE_S) -> Start:
        """Open the journal, load the configuration, restore the state, begin to ship. Blocks.

        Raises `LinkError` if the journal cannot be opened, the database does not answer within
        `patience_s`, or it has not been migrated; nothing stays open then.
        """
        try:
            self.journal = Journal.open(self._journal_directory)
        except JournalError as error:
            raise LinkError(str(error)) from error
        try:
            started = self._read(patience_s)
        except (psycopg.Error, JournalError) as error:
            self._listener.close()
            self._end_restoring()
            self.journal.close()
            raise LinkError(_why(error)) from error
        self._recorder = Recorder(self._database_url, self.journal, self._publisher)
        self._publisher.start()
        self._recorder.start()
        return started

    def _read(self, patience_s: float) -> Start:
        give_up_at = time.monotonic() + patience_s
        while True:
            try:
                self._restoring = connect(self._database_url, "start")
                if self._process.is_owner:
                    self._tidy(self._restoring)
                restored = restore(self.journal, self._restoring, self._process)
                snapshot = self._listener.open()
                return Start(snapshot, replace(restored, bindings=self._told(restored.bindings)))
            except psycopg.OperationalError:
                self._end_restoring()
                if time.monotonic() >= give_up_at:
                    raise
                time.sleep(RETRY_S)

    def _tidy(self, connection: psycopg.Connection) -> None:
        """See to what other processes left, before the first worker looks for its calls."""
        if self._process.count > 1:
            carry(self._database_url, self.journal)
        carry_left_journals(self._database_url, self._journal_directory, self._process.count)
        forget_status_of_others(connection, self._process)

    def _told(self, bindings: Iterable[BindingRecord]) -> Iterator[BindingRecord]:
        try:
            yield from bindings
        except psycopg.Error as error:
            raise LinkError(_why(error)) from error
        finally:
            self._end_restoring()

    def _end_restoring(self) -> None:
        if self._restoring is not None:
            self._restoring.close()
            self._restoring = None

    def watch(self, on_change: Callable[[ConfigSnapshot], None]) -> None:
        """Call `on_change` with each new snapshot, from the listener's thread, until `close`.

        A change saved since `start` is not missed: listening began before the first load.
        """
        self._listener.start(on_change)

    def take_commands(self, on_command: OnCommand) -> None:
        """Call `on_command(id, kind, arguments)` from a thread for each command, until `close`. Of several
        processes only the owner takes them."""
        self._taker.start(on_command)

    def say(self, number: int, words: str, succeeded: bool | None) -> None:
        """Tell who gave a command how it goes; `succeeded` comes last. Any thread, never blocks."""
        self._taker.say(number, words, succeeded)

    def notify_written(self) -> None:
        """Wake the recorder: lines were written. Any thread, any number of times, never blocks."""
        if self._recorder is not None:
            self._recorder.wake()

    def publish_status(
        self,
        counters: dict[str, int | float],
        generation: int = 0,
        refused: Sequence[RefusedPhone] = (),
    ) -> None:
        """Have the heartbeat and `counters` stored soon; a newer call replaces a waiting one.

        `generation` is that of the snapshot in use, `refused` who gives wrong passwords. Any thread, never blocks.
        """
        if self._recorder is not None:
            self._recorder.store_status(
                Status(self._process.name, self._started_at, generation, counters, tuple(refused))
            )

    def counters(self) -> dict[str, int | float]:
        """What the link did so far: journal size and lag, shipped, rejected, errors, reloads."""
        if self._recorder is None:
            return {}
        return {
            **self.journal.counters(),
            **self._recorder.counters(),
            "commands_taken": self._taker.taken,
            "config_full_loads": self._listener.full_loads,
            "config_refreshes": self._listener.refreshes,
            "config_failures": self._listener.failures,
            "hints_published": self._publisher.published,
            "hints_failed": self._publisher.failures,
        }

    def close(self, deadline_s: float = 3.0) -> None:
        """Ship what the journal holds as far as the deadline allows, then let go of everything.

        What is not shipped stays in the journal for the next start.
        """
        self._listener.close()
        self._taker.close()
        self._end_restoring()
        if self._recorder is not None:
            self._recorder.close(deadline_s)
            self._publisher.close()
            self.journal.close()


def _why(error: psycopg.Error | JournalError) -> str:
    if isinstance(error, (errors.UndefinedTable, errors.UndefinedColumn)):
        return "The database has no tables, or old ones: make them with ./run migrate."
    if isinstance(error, psycopg.Error):
        return f"The database cannot be used (see DATABASE_URL): {sentence(error)}."
    return str(error)
