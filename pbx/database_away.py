"""While Postgres is away: pages that say so soon, and a log that says so once a minute."""

from __future__ import annotations

import logging
import time
from typing import Any, Final, TypeVar

import psycopg
from django.db import InterfaceError, OperationalError
from psycopg.abc import PQGen

PATIENCE_S: Final = 10.0
"""Without a word from Postgres, then a page gives up. Readers' queries end after 5 s by themselves;
a server whose disk hangs, or that is stopped, says nothing and keeps its connections open."""

SAID_EVERY_S: Final = 60.0

T = TypeVar("T")


class ImpatientConnection(psycopg.Connection[Any]):
    """One that does not wait for ever. What is given up is closed: nobody knows what it stands at."""

    patience = PATIENCE_S

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"Postgres has not answered for {self.patience:g} seconds"
            ) from error


def is_away(error: BaseException | None) -> bool:
    """Whether that is the database not answering, and no mistake of ours."""
    return isinstance(error, OperationalError | InterfaceError)


class Scarcely(logging.Filter):
    """Of requests that failed because the database is away: one line a minute, without traceback."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at = -SAID_EVERY_S
        self._unsaid = 0

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not is_away(error):
            return True
        now = time.monotonic()
        if now - self._said_at < SAID_EVERY_S:
            self._unsaid += 1
            return False
        record.msg = "the database does not answer; %d pages since the last such line: %s"
        record.args = (self._unsaid + 1, str(error).strip().partition("\n")[0])
        record.exc_info = record.exc_text = None
        self._said_at, self._unsaid = now, 0
        return True
