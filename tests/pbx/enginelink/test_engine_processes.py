"""Several processes of one engine: each has its journal, its calls and its row (decision 17)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from pbx.enginelink.engine_process import ONLY, EngineProcess
from pbx.enginelink.left_journals import carry_left_journals
from pbx.enginelink.link import Link
from pbx.enginelink.publisher import nowhere
from pbx.enginelink.restoring import restore
from sipengine.api import CallRecord
from sipengine.journal import Journal, encode
from sipengine.steering import share_of
from tests.pbx.enginelink.facts import T0, binding, call
from tests.pbx.enginelink.test_restoring import carry

COUNT = 3
CALLS = [replace(call(n, 1, "talking"), call_ids=[f"{n}-a@192.0.2.7"]) for n in range(1, 40)]


def of(calls: list[CallRecord], number: int) -> list[str]:
    return sorted(c.id for c in calls if share_of(c.call_ids[0].encode(), COUNT) == number)


def test_each_process_restores_its_own_calls_and_the_owner_all_else(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    journal = Journal.open(tmp_path / "owner")
    journal.write([encode(binding(1)), *(encode(record) for record in CALLS[:20])])
    carry(database_url, journal)
    journal.write([encode(binding(2)), *(encode(record) for record in CALLS[20:])])
    carry(database_url, journal)
    found: list[str] = []
    for number in range(COUNT):
        own = journal if number == 0 else Journal.open(tmp_path / str(number))
        restored = restore(own, connection, EngineProcess(number, COUNT))
        assert len(list(restored.bindings)) == (2 if number == 0 else 0)
        assert sorted(c.id for c in restored.calls) == of(CALLS, number)
        found += [c.id for c in restored.calls]
        own.close()
    assert sorted(found) == sorted(c.id for c in CALLS)


def test_a_worker_restores_what_only_its_journal_knows(
    tmp_path: Path, connection: psycopg.Connection
) -> None:
    """It was killed before anything was carried."""
    mine = [c for c in CALLS if c.id in of(CALLS, 2)]
    journal = Journal.open(tmp_path)
    ended = replace(mine[0], revision=2, state="ended", ended=T0, result="answered")
    journal.write([encode(record) for record in [*mine, ended]])
    restored = restore(journal, connection, EngineProcess(2, COUNT))
    assert sorted(c.id for c in restored.calls) == sorted(c.id for c in mine[1:])
    journal.close()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_with_another_number_of_processes_nothing_is_lost(
    tmp_path: Path, database_url: str, connection: psycopg.Connection, count: int
) -> None:
    """Three processes were killed with full journals; as many as `count` begin, the owner first."""
    owners = tmp_path / "journal"
    for number in range(COUNT):
        process = EngineProcess(number, COUNT)
        journal = Journal.open(process.journal(owners))
        mine = [record for record in CALLS if process.has_call(record.call_ids)]
        journal.write([encode(record) for record in mine])
        journal.close()
    links = [
        Link(database_url, owners, nowhere, EngineProcess(number, count)) for number in range(count)
    ]
    found: list[str] = []
    for link in links:
        restored = link.start().restored
        list(restored.bindings)
        found += [c.id for c in restored.calls]
    assert sorted(found) == sorted(c.id for c in CALLS)
    left = sorted(path.name for path in owners.glob("worker-*"))
    assert left == [f"worker-{number}" for number in range(1, count)]
    for link in links:
        link.close()


def test_a_journal_that_its_process_has_open_is_left_alone(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    journal = Journal.open(EngineProcess(1, 2).journal(tmp_path))
    journal.write([encode(CALLS[0])])
    carry_left_journals(database_url, tmp_path, 1)
    assert connection.execute("SELECT count(*) FROM calls_call").fetchone() == (0,)
    journal.write([encode(CALLS[1])])
    journal.close()
    carry_left_journals(database_url, tmp_path, 1)
    assert connection.execute("SELECT count(*) FROM calls_call").fetchone() == (2,)
    assert not list(tmp_path.glob("worker-*"))


def test_an_owner_forgets_the_rows_of_processes_that_are_no_more(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    for name in ("engine", "engine-1", "engine-2"):
        connection.execute(
            "INSERT INTO enginelink_enginestatus (name, pid, started_at, heartbeat_at, generation,"
            " counters, refused) VALUES (%s, 1, now(), now(), 0, '{}', '[]')",
            (name,),
        )
    for process in (EngineProcess(1, 2), EngineProcess(0, 2)):
        link = Link(database_url, tmp_path / "journal", nowhere, process)
        link.start()
        link.close()
    names = connection.execute("SELECT name FROM enginelink_enginestatus ORDER BY name").fetchall()
    assert names == [("engine",), ("engine-1",)]


def test_a_call_that_no_message_told_of_is_the_owners() -> None:
    assert EngineProcess(0, 3).has_call([])
    assert not EngineProcess(1, 3).has_call([])
    assert ONLY.has_call([])
