"""Configuration in: one thread that listens for changes and keeps the engine's snapshot current.

LISTEN first, then a full load, then changes: what happens in between is told twice rather than
never. Notifications of 50 ms are applied together. After any trouble, and if the triggers' counter
says that something was missed, there is a full load.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from typing import Final

import psycopg
import structlog

from pbx.enginelink.connecting import connect, sentence
from pbx.enginelink.snapshot import Changes, epoch, load, refresh
from sipengine.api import ConfigSnapshot

CHANNEL: Final = "branchline_config"
COALESCE_S: Final = 0.05
"""Saving one form makes several notifications; nobody notices 50 ms."""
CHECK_EVERY_S: Final = 60.0
RETRY_FIRST_S: Final = 0.1
RETRY_LAST_S: Final = 2.0
"""The longest a database that is back goes unnoticed."""

logger = structlog.get_logger()


class Listener:
    """Owns one connection and the current snapshot. Order: `open`, `start`, `close`."""

    def __init__(self, database_url: str, check_every_s: float = CHECK_EVERY_S) -> None:
        self._database_url = database_url
        self._check_every_s = check_every_s
        self._connection: psycopg.Connection | None = None
        self._snapshot = ConfigSnapshot()
        self._announced = self._snapshot
        self._on_change: Callable[[ConfigSnapshot], None] = _ignore
        self._closing = threading.Event()
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="config-listener", daemon=True)
        self.full_loads = 0
        self.refreshes = 0
        self.failures = 0

    def open(self) -> ConfigSnapshot:
        """Connect, listen and load, on the caller's thread. Raises `psycopg.Error`."""
        connection = connect(self._database_url, "config")
        try:
            connection.execute(f"LISTEN {CHANNEL}")
            self._snapshot = load(connection)
        except BaseException:
            connection.close()
            raise
        self.full_loads += 1
        self._connection = connection
        return self._snapshot

    def start(self, on_change: Callable[[ConfigSnapshot], None]) -> None:
        """Call `on_change` from the listener's thread with each snapshot that differs."""
        self._on_change = on_change
        self._announced = self._snapshot
        self._thread.start()

    def close(self, patience_s: float = 1.0) -> None:
        """End the thread and the connection."""
        if self._closing.is_set():
            return
        self._closing.set()
        os.write(self._wake_write, b"x")
        if self._thread.is_alive():
            self._thread.join(patience_s)
        if not self._thread.is_alive():
            self._disconnect()
            os.close(self._wake_read)
            os.close(self._wake_write)

    # ------------------------------------------------------------------ on the thread

    def _run(self) -> None:
        retry_s = RETRY_FIRST_S
        while not self._closing.is_set():
            try:
                if self._connection is None:
                    self.open()
                    self._announce()
                    logger.info("configuration followed again")
                retry_s = RETRY_FIRST_S
                self._follow(self._connection)
            except psycopg.Error as error:
                if self._connection is not None or retry_s == RETRY_FIRST_S:
                    logger.warning(
                        "configuration not followed, the database is away", why=sentence(error)
                    )
                self._failed()
            except Exception:
                # The thread's root: whatever it was, a fresh connection and a full load mend it.
                logger.exception("configuration not followed, starting over")
                self._failed()
            self._closing.wait(retry_s)
            retry_s = min(retry_s * 2, RETRY_LAST_S)

    def _follow(self, connection: psycopg.Connection | None) -> None:
        check_at = time.monotonic() + self._check_every_s
        while connection is not None and not self._closing.is_set():
            changes = Changes()
            # What arrived during a query waits inside the connection, where select sees nothing.
            _collect(connection, changes, 0)
            if not changes:
                left = check_at - time.monotonic()
                if left > 0:
                    self._wait(connection, left)
                    _collect(connection, changes, 0)
                else:
                    check_at = time.monotonic() + self._check_every_s
                    if epoch(connection) != self._snapshot.generation:
                        logger.warning("configuration change missed, loading everything")
                        changes.everything = True
            if changes and not self._closing.is_set():
                _collect(connection, changes, COALESCE_S)
                self._apply(connection, changes)

    def _wait(self, connection: psycopg.Connection, seconds: float) -> None:
        poll = select.poll()  # not select(2): file numbers may be beyond 1023 here
        poll.register(connection.fileno(), select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        poll.poll(seconds * 1000)

    def _apply(self, connection: psycopg.Connection, changes: Changes) -> None:
        self._snapshot = refresh(self._snapshot, changes, connection)
        if changes.everything:
            self.full_loads += 1
        else:
            self.refreshes += 1
        self._announce()

    def _announce(self) -> None:
        if self._snapshot != self._announced:
            self._on_change(self._snapshot)
            self._announced = self._snapshot

    def _failed(self) -> None:
        self.failures += 1
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _collect(connection: psycopg.Connection, changes: Changes, wait_s: float) -> None:
    for notice in connection.notifies(timeout=wait_s):
        changes.note(notice.payload)


def _ignore(snapshot: ConfigSnapshot) -> None:
    """Nobody watches yet."""
