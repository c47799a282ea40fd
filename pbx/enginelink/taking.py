"""Commands for the engine, from its side: one thread that takes them and stores what is said of them."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

import psycopg
import structlog

from pbx.enginelink.connecting import connect, sentence
from pbx.enginelink.giving import ANSWERS, COMMANDS, TOO_OLD_S

CHECK_EVERY_S: Final = 10.0
"""A NOTIFY that got lost with its connection is made up for by looking."""
RETRY_S: Final = 1.0
MOST_AT_ONCE: Final = 20

OnCommand = Callable[[int, str, dict[str, str]], None]
"""(id, kind, arguments), called from the thread."""

logger = structlog.get_logger()

_TAKE: Final = """
UPDATE enginelink_command SET state = 'taken'
WHERE id IN (SELECT id FROM enginelink_command
             WHERE state = 'waiting' AND given_at > now() - make_interval(secs => %s)
             ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, kind, arguments
"""
_SAY: Final = """
UPDATE enginelink_command SET said = said || to_jsonb(%s::text),
    state = CASE WHEN %s::boolean IS NULL THEN state ELSE 'over' END, succeeded = %s
WHERE id = %s AND state <> 'over'
"""
_LATE: Final = """
UPDATE enginelink_command SET state = 'over', succeeded = false,
    said = said || '["It was asked for too long ago, so nothing was done."]'
WHERE state = 'waiting' AND given_at <= now() - make_interval(secs => %s)
"""
_LEFT_OVER: Final = """
UPDATE enginelink_command SET state = 'over', succeeded = false,
    said = said || '["The telephone system was restarted meanwhile."]'
WHERE state = 'taken'
"""


_TOLD: Final = """
DELETE FROM enginelink_command WHERE kind = 'trace' AND given_at < now() - interval '1 minute'
"""
"""What was told of a call's messages is not for keeping; who asked takes it out, unless he died."""


class CommandTaker:
    """Owns one connection. Order: `start`, `say` any time, `close`."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._on_command: OnCommand = _ignore
        self._said: SimpleQueue[tuple[int, str, bool | None]] = SimpleQueue()
        self._closing = threading.Event()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)
        self.taken = 0

    def start(self, on_command: OnCommand) -> None:
        self._on_command = on_command
        self._thread.start()

    def say(self, number: int, words: str, succeeded: bool | None) -> None:
        """Store a sentence about a command; `succeeded` is given with the last. Never blocks."""
        if not self._closing.is_set():
            self._said.put((number, words, succeeded))
            self._wake()

    def close(self, patience_s: float = 1.0) -> None:
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(patience_s)
        if not self._thread.is_alive():
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # full: it wakes without this byte
            os.write(self._wake_write, b"x")

    # ------------------------------------------------------------------ on the thread

    def _run(self) -> None:
        first, away = True, False
        while not self._closing.is_set():
            try:
                with connect(self._database_url, "commands") as connection:
                    connection.execute(f"LISTEN {COMMANDS}")
                    if first:  # what an earlier process had taken ended with it
                        connection.execute(_LEFT_OVER)
                    first = away = False
                    while not self._closing.is_set():
                        self._store(connection)
                        self._take(connection)
                        self._wait(connection)
                    self._store(connection)
            except psycopg.Error as error:
                if not away:
                    logger.warning("no commands can be taken", why=sentence(error))
                away = True
            except Exception:
                # The thread's root: it must not end while the engine lives.
                logger.exception("no commands can be taken, starting over")
            self._closing.wait(RETRY_S)

    def _store(self, connection: psycopg.Connection) -> None:
        while True:
            try:
                number, words, succeeded = self._said.get_nowait()
            except Empty:
                return
            connection.execute(_SAY, (words, succeeded, succeeded, number))
            connection.execute("SELECT pg_notify(%s, %s)", (ANSWERS, str(number)))

    def _take(self, connection: psycopg.Connection) -> None:
        connection.execute(_TOLD)
        connection.execute(_LATE, (TOO_OLD_S,))
        for number, kind, arguments in connection.execute(_TAKE, (TOO_OLD_S, MOST_AT_ONCE)):
            self.taken += 1
            self._on_command(number, kind, arguments)

    def _wait(self, connection: psycopg.Connection) -> None:
        """Until there is a command, or something to store, or it is time to look."""
        if list(connection.notifies(timeout=0)) or not self._said.empty():
            return
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        for descriptor, _ in poll.poll(CHECK_EVERY_S * 1000):
            if descriptor == self._wake_read:
                os.read(self._wake_read, 4096)
        list(connection.notifies(timeout=0))


def _ignore(number: int, kind: str, arguments: dict[str, str]) -> None:
    """Nobody takes commands yet."""
