"""What the engine still has of a call's messages, asked for by a command and not kept in the database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from pbx.enginelink.connecting import connect
from pbx.enginelink.giving import NotGiven, follow, give

KIND: Final = "trace"
PATIENCE_S: Final = 3.0
"""The answer takes milliseconds; a page waits for it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the engine told: `messages` as `sipengine/observe/trace.py` describes them, times in
    seconds since 1970. `since` is when it began to keep messages: its own start."""

    since: float
    messages: list[dict[str, Any]]


def messages_of(database_url: str, call_ids: list[str]) -> Kept:
    """Ask for the messages of these Call-IDs. Raises `NotGiven` in words, or `psycopg.Error`.

    The answer is taken out of the database as soon as it is read.
    """
    wanted = "\n".join(one for one in call_ids if one and "\n" not in one)
    with connect(database_url, KIND) as connection:
        number = give(connection, KIND, {"call_ids": wanted})
        try:
            told = [words for words, _ in follow(connection, number, PATIENCE_S)]
        finally:
            connection.execute("DELETE FROM enginelink_command WHERE id = %s", (number,))
    try:
        answer = json.loads(told[-1])
        return Kept(float(answer["since"]), list(answer["messages"]))
    except (IndexError, ValueError, KeyError, TypeError):
        raise NotGiven("The engine is stopping, or is of another version; try again.") from None
