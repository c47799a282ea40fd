"""What the engine told of a call's messages is read once and does not stay in the database."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from pbx.enginelink import giving
from pbx.enginelink.asking import messages_of
from pbx.enginelink.giving import NotGiven
from pbx.enginelink.taking import CommandTaker
from tests.support.wait import until


class Engine:
    """Answers each command with `answer`."""

    def __init__(self, database_url: str) -> None:
        self.answer = json.dumps({"since": 5.0, "messages": [{"at": 6.0, "missing": 2}]})
        self.asked: list[dict[str, str]] = []
        self.taker = CommandTaker(database_url)
        self.taker.start(self._given)

    def _given(self, number: int, kind: str, arguments: dict[str, str]) -> None:
        self.asked.append(arguments)
        self.taker.say(number, self.answer, True)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = Engine(database_url)
    yield engine
    engine.taker.close(5)


def rows(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM enginelink_command").fetchone()
    return int(row[0]) if row else -1


def test_answer_is_read_and_taken_out(
    engine: Engine, database_url: str, connection: psycopg.Connection
) -> None:
    kept = messages_of(database_url, ["a@phone", "", "b\nc", "d@phone"])
    assert (kept.since, kept.messages) == (5.0, [{"at": 6.0, "missing": 2}])
    assert engine.asked == [{"call_ids": "a@phone\nd@phone"}]
    assert rows(connection) == 0


@pytest.mark.parametrize("answer", ["", "This engine knows no command trace.", "{}", "[]"])
def test_senseless_answer_is_told_in_words(engine: Engine, database_url: str, answer: str) -> None:
    engine.answer = answer
    with pytest.raises(NotGiven, match="another version"):
        messages_of(database_url, ["a@phone"])


def test_without_an_engine_nothing_stays_either(
    database_url: str, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving, "TAKEN_WITHIN_S", 0.3)
    with pytest.raises(NotGiven, match="not running"):
        messages_of(database_url, ["a@phone"])
    assert rows(connection) == 0


def test_engine_takes_out_what_nobody_read(
    engine: Engine, database_url: str, connection: psycopg.Connection
) -> None:
    connection.execute(
        "INSERT INTO enginelink_command (kind, arguments, state, said, given_at) VALUES"
        " ('trace', '{}', 'over', '[\"secret\"]', now() - interval '2 minutes')"
    )
    messages_of(database_url, ["a@phone"])  # wakes the engine up
    until(lambda: rows(connection) == 0, "the forgotten answer to go")
