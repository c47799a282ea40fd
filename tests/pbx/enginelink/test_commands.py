"""Commands reach the engine within moments or not at all, and who gave one hears what came of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from pbx.enginelink import giving
from pbx.enginelink.giving import NotGiven, follow, give
from pbx.enginelink.taking import CommandTaker
from tests.support.wait import until

Given = list[tuple[int, str, dict[str, str]]]


@pytest.fixture
def given() -> Given:
    return []


@pytest.fixture
def taker(database_url: str, given: Given) -> Iterator[CommandTaker]:
    taker = CommandTaker(database_url)
    yield taker
    taker.close(5)


def started(taker: CommandTaker, given: Given) -> None:
    taker.start(lambda *command: given.append(command))


def test_command_is_taken_and_its_news_come_back_in_order(
    taker: CommandTaker, given: Given, connection: psycopg.Connection
) -> None:
    started(taker, given)
    number = give(connection, "dial", {"from": "1001", "to": "1002"})
    until(lambda: given, "the command")
    assert given == [(number, "dial", {"from": "1001", "to": "1002"})]
    taker.say(number, "Ringing Alice …", None)
    taker.say(number, "Ça sonne “là”", None)
    taker.say(number, "They talk.", True)
    heard = list(follow(connection, number, 5))
    assert heard == [("Ringing Alice …", None), ("Ça sonne “là”", None), ("They talk.", True)]


def test_waiting_commands_are_taken_at_the_start_but_not_old_ones(
    taker: CommandTaker, given: Given, connection: psycopg.Connection
) -> None:
    old = give(connection, "dial", {"from": "1", "to": "2"})
    connection.execute(
        "UPDATE enginelink_command SET given_at = now() - interval '31 seconds' WHERE id = %s",
        (old,),
    )
    fresh = give(connection, "dial", {"from": "3", "to": "4"})
    started(taker, given)
    until(lambda: given, "the fresh command")
    assert [number for number, _, _ in given] == [fresh]
    (words, succeeded), *_ = list(follow(connection, old, 1))
    assert "too long ago" in words
    assert succeeded is False


def test_without_an_engine_the_command_is_withdrawn(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving, "TAKEN_WITHIN_S", 0.3)
    number = give(connection, "dial", {"from": "1", "to": "2"})
    with pytest.raises(NotGiven, match="not running"):
        list(follow(connection, number, 5))
    row = connection.execute(
        "SELECT state FROM enginelink_command WHERE id = %s", (number,)
    ).fetchone()
    assert row == ("over",)


def test_an_engine_that_falls_silent_is_told(
    taker: CommandTaker, given: Given, connection: psycopg.Connection
) -> None:
    started(taker, given)
    number = give(connection, "dial", {"from": "1", "to": "2"})
    until(lambda: given, "the command")
    taker.say(number, "Ringing …", None)
    news = follow(connection, number, 0.3)
    assert next(news) == ("Ringing …", None)
    with pytest.raises(NotGiven, match="said no more"):
        next(news)


def test_queue_is_bounded(connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giving, "WAITING_MOST", 2)
    give(connection, "dial", {})
    give(connection, "dial", {})
    with pytest.raises(NotGiven, match="Too many"):
        give(connection, "dial", {})


def test_what_a_dead_engine_had_taken_is_over(
    database_url: str, taker: CommandTaker, given: Given, connection: psycopg.Connection
) -> None:
    first = CommandTaker(database_url)
    taken = threading.Event()
    first.start(lambda *_: taken.set())
    number = give(connection, "dial", {"from": "1", "to": "2"})
    assert taken.wait(10)
    first.close(5)
    started(taker, given)
    heard = list(follow(connection, number, 5))
    assert heard == [("The telephone system was restarted meanwhile.", False)]
    assert not given


def test_lost_connection_is_made_again(
    taker: CommandTaker, given: Given, connection: psycopg.Connection
) -> None:
    started(taker, given)
    mine = "SELECT pid FROM pg_stat_activity WHERE application_name = 'branchline-engine-commands'"
    (pid,) = until(lambda: connection.execute(mine).fetchone(), "the taker's connection") or ()
    connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
    number = give(connection, "dial", {"from": "1", "to": "2"})
    until(lambda: given, "the command", deadline=10)
    assert given[0][0] == number


def test_old_rows_go(connection: psycopg.Connection) -> None:
    give(connection, "dial", {})
    connection.execute("UPDATE enginelink_command SET given_at = now() - interval '2 days'")
    give(connection, "dial", {})
    assert connection.execute("SELECT count(*) FROM enginelink_command").fetchone() == (1,)
