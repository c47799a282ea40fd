"""Commands for the engine, from the side that gives them: the command line and the pages.

A command is a row and a NOTIFY. The engine takes it within moments or not at all: after
`TOO_OLD_S` nobody wants their phone to ring any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

TOO_OLD_S: Final = 30
WAITING_MOST: Final = 100
"""Commands that wait at once; more are given by a script that has run wild."""
KEPT: Final = "1 day"
COMMANDS: Final = "branchline_commands"
"""The channel on which the engine hears of a new command."""
ANSWERS: Final = "branchline_answers"
"""The channel on which it tells that it said something; the payload is the command's id."""
TAKEN_WITHIN_S: Final = 3.0


class NotGiven(Exception):
    """The command was not carried out; the text says why, in a sentence."""


def give(connection: psycopg.Connection, kind: str, arguments: dict[str, str]) -> int:
    """Ask the engine to do something; returns the command's id.

    `connection` is in autocommit mode and listens from now on. Raises `NotGiven` if too many wait.
    """
    connection.execute(f"LISTEN {ANSWERS}")
    with connection.transaction():
        connection.execute(
            "DELETE FROM enginelink_command WHERE given_at < now() - %s::interval", (KEPT,)
        )
        row = connection.execute(
            "INSERT INTO enginelink_command (kind, arguments, state, said)"
            " SELECT %s, %s, 'waiting', '[]' WHERE (SELECT count(*) FROM enginelink_command"
            " WHERE state = 'waiting' AND given_at > now() - make_interval(secs => %s)) < %s"
            " RETURNING id",
            (kind, Jsonb(arguments), TOO_OLD_S, WAITING_MOST),
        ).fetchone()
        if row is None:
            raise NotGiven("Too many commands wait for the engine already; try again in a moment.")
        connection.execute("SELECT pg_notify(%s, '')", (COMMANDS,))
    return int(row[0])


def follow(
    connection: psycopg.Connection, number: int, patience_s: float
) -> Iterator[tuple[str, bool | None]]:
    """Yield what the engine says of a command, (sentence, None), the last with whether it succeeded.

    Raises `NotGiven` if the engine does not take it, or says nothing more for `patience_s`.
    """
    told = 0
    taken = False
    deadline = time.monotonic() + TAKEN_WITHIN_S
    while True:
        state, said, succeeded = _row(connection, number)
        taken = taken or state != "waiting"
        if len(said) > told:
            deadline = time.monotonic() + patience_s
        for words in said[told:]:
            told += 1
            yield words, succeeded if state == "over" and told == len(said) else None
        if state == "over":
            return
        left = deadline - time.monotonic()
        if left <= 0:
            if taken or not _withdrawn(connection, number):
                raise NotGiven("The engine said no more about it.")
            raise NotGiven(
                "The engine did not take the command: it is not running, or too busy."
                " See ./run and the file log/engine.log."
            )
        for _ in connection.notifies(timeout=min(left, 1.0), stop_after=1):
            pass


def _row(connection: psycopg.Connection, number: int) -> tuple[str, list[str], bool | None]:
    row: tuple[Any, ...] | None = connection.execute(
        "SELECT state, said, succeeded FROM enginelink_command WHERE id = %s", (number,)
    ).fetchone()
    if row is None:
        raise NotGiven("The command was taken out of the database by somebody else.")
    return str(row[0]), list(row[1]), row[2]


def _withdrawn(connection: psycopg.Connection, number: int) -> bool:
    """Take a command back that nobody has taken; whether that was so."""
    done = connection.execute(
        "UPDATE enginelink_command SET state = 'over', succeeded = false"
        " WHERE id = %s AND state = 'waiting'",
        (number,),
    )
    return done.rowcount == 1
