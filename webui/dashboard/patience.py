"""A limit on how long a reader's search may keep the database busy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import OperationalError, connection, transaction
from psycopg import errors

_MOST_MS: Final = 5000  # a reader has gone by then; calls and registrations need the database more


class TooSlow(Exception):
    """The queries took longer than a reader waits."""


@contextmanager
def limited_queries(most_ms: int = _MOST_MS) -> Iterator[None]:
    """Queries inside end after 5 s each. Raises `TooSlow`."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = {most_ms:d}")
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, errors.QueryCanceled):
            raise TooSlow from error
        raise
