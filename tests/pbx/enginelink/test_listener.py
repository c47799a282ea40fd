"""A change saved is with the engine in well under a second, and none is missed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from pbx.enginelink.listener import Listener
from sipengine.api import ConfigSnapshot
from tests.pbx.enginelink.conftest import KillableServer, make_database, migrate
from tests.pbx.enginelink.directory import add_domain, add_extensions, add_rule
from tests.support.wait import until

DOMAIN = "pbx.example"


class Watcher:
    """An engine's side of the listener: the snapshots it was given, in order."""

    def __init__(self, url: str, check_every_s: float = 60.0) -> None:
        self.listener = Listener(url, check_every_s)
        self.snapshots = [self.listener.open()]
        self._news = threading.Condition()

    def take(self, snapshot: ConfigSnapshot) -> None:
        with self._news:
            self.snapshots.append(snapshot)
            self._news.notify_all()

    def wait_for(self, count: int, deadline: float = 10.0) -> ConfigSnapshot:
        with self._news:
            assert self._news.wait_for(lambda: len(self.snapshots) >= count, deadline)
            return self.snapshots[count - 1]


@pytest.fixture
def watcher(database_url: str, connection: psycopg.Connection) -> Iterator[Watcher]:
    add_domain(connection, DOMAIN, default=True)
    add_extensions(connection, DOMAIN, 1001, 3)
    watcher = Watcher(database_url)
    yield watcher
    watcher.listener.close()


def test_a_change_is_seen_in_well_under_a_second(
    watcher: Watcher, connection: psycopg.Connection
) -> None:
    watcher.listener.start(watcher.take)
    delays = []
    for number in range(7):
        began = time.monotonic()
        connection.execute(
            "UPDATE directory_extension SET name = %s WHERE number = '1001'", (str(number),)
        )
        snapshot = watcher.wait_for(number + 2)
        delays.append(time.monotonic() - began)
        assert snapshot.extensions[f"1001@{DOMAIN}"].name == str(number)
        assert snapshot.generation > watcher.snapshots[-2].generation
    print(
        f"saved to seen: median {sorted(delays)[3] * 1000:.0f} ms, worst {max(delays) * 1000:.0f} ms"
    )
    assert max(delays) < 0.5
    assert watcher.listener.full_loads == 1


def test_what_changed_between_load_and_watch_is_seen(
    watcher: Watcher, connection: psycopg.Connection
) -> None:
    add_rule(connection, DOMAIN, "team", 1, "1001")
    watcher.listener.start(watcher.take)
    assert [rule.name for rule in watcher.wait_for(2).rules] == ["team"]


def test_a_burst_of_changes_is_taken_together(
    watcher: Watcher, connection: psycopg.Connection
) -> None:
    watcher.listener.start(watcher.take)
    with connection.transaction():
        for number in range(300):
            connection.execute(
                "UPDATE directory_extension SET name = %s WHERE number = '1002'", (str(number),)
            )
        add_rule(connection, DOMAIN, "team", 1, "1001")
    snapshot = watcher.wait_for(2)
    assert snapshot.extensions[f"1002@{DOMAIN}"].name == "299"
    assert [rule.name for rule in snapshot.rules] == ["team"]


def test_a_missed_change_is_found_by_the_epoch(
    database_url: str, connection: psycopg.Connection, watcher: Watcher
) -> None:
    checking = Watcher(database_url, check_every_s=0.1)
    # The change is made where no notification can reach the listener from: the counter alone moves.
    with connection.transaction():
        connection.execute("ALTER TABLE directory_extension DISABLE TRIGGER USER")
        connection.execute("UPDATE directory_extension SET name = 'Anna' WHERE number = '1001'")
        connection.execute("ALTER TABLE directory_extension ENABLE TRIGGER USER")
        connection.execute("SELECT nextval('enginelink_epoch')")
    checking.listener.start(checking.take)
    assert checking.wait_for(2).extensions[f"1001@{DOMAIN}"].name == "Anna"
    checking.listener.close()


def test_one_failing_watcher_call_does_not_end_the_listener(
    watcher: Watcher, connection: psycopg.Connection
) -> None:
    failures = [RuntimeError("the loop is busy")]

    def take(snapshot: ConfigSnapshot) -> None:
        if failures:
            raise failures.pop()
        watcher.take(snapshot)

    watcher.listener.start(take)
    connection.execute("UPDATE directory_extension SET name = 'Anna' WHERE number = '1001'")
    assert watcher.wait_for(2).extensions[f"1001@{DOMAIN}"].name == "Anna"


def test_after_postgres_was_killed_changes_are_seen_again(killable: KillableServer) -> None:
    url = make_database(killable.cluster, "branchline")
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        add_domain(connection, DOMAIN, default=True)
        add_extensions(connection, DOMAIN, 1001, 1)
    watcher = Watcher(url)
    watcher.listener.start(watcher.take)
    killable.kill()
    until(lambda: watcher.listener.failures, "the listener to notice", deadline=15)
    killable.start()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE directory_extension SET name = 'Anna'")
    until(
        lambda: watcher.snapshots[-1].extensions[f"1001@{DOMAIN}"].name == "Anna",
        "the change",
        deadline=15,
    )
    watcher.listener.close()


def test_closing_is_quick(watcher: Watcher) -> None:
    watcher.listener.start(watcher.take)
    began = time.monotonic()
    watcher.listener.close()
    assert time.monotonic() - began < 0.5
