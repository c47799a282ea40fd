"""Bans from the journal to Postgres and back, and pardons on their way to the engine."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from pathlib import Path

import psycopg

from pbx.enginelink.listener import Listener
from pbx.enginelink.restoring import restore
from sipengine.api import BanRecord, ConfigSnapshot, Pardon
from sipengine.journal import Journal, encode
from tests.pbx.enginelink.facts import binding
from tests.pbx.enginelink.test_restoring import carry
from tests.support.wait import until


def ban(number: int, **changes: object) -> BanRecord:
    now = float(int(time.time()))
    record = BanRecord(
        id=str(uuid.UUID(int=number)),
        revision=1,
        source=f"203.0.113.{number}",
        kind="passwords",
        reason="20 wrong passwords for 1001 in 3 minutes",
        count=20,
        level=1,
        since=now,
        until=now + 300,
        dropped=0,
        lifted_at=None,
        lifted_by="",
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def journalled(directory: Path, *facts: BanRecord) -> Journal:
    journal = Journal.open(directory)
    journal.write([encode(fact) for fact in facts])
    return journal


def test_bans_become_rows_and_the_latest_revision_counts(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    later = ban(1, revision=3, dropped=70)
    journal = journalled(tmp_path, ban(1), later, ban(1, revision=2, dropped=50), ban(2))
    carry(database_url, journal)
    rows = connection.execute(
        "SELECT source, dropped, extract(epoch FROM until - since)::int, lifted_at"
        " FROM guard_ban ORDER BY source"
    ).fetchall()
    assert rows == [("203.0.113.1", 70, 300, None), ("203.0.113.2", 0, 300, None)]
    lifted = ban(1, revision=4, lifted_at=later.since + 9, lifted_by="alice")
    journal.write([encode(lifted), encode(later)])
    carry(database_url, journal)
    said = connection.execute("SELECT revision, lifted_by FROM guard_ban WHERE lifted_by <> ''")
    assert said.fetchall() == [(4, "alice")]
    journal.close()


def test_restored_is_what_goes_on_or_ended_lately_in_table_or_journal(
    tmp_path: Path, database_url: str
) -> None:
    now = float(int(time.time()))
    old = ban(3, since=now - 9 * 86_400, until=now - 8 * 86_400)
    over = ban(4, since=now - 900, until=now - 600)
    journal = journalled(tmp_path, ban(1), old, over)
    carry(database_url, journal)
    more = ban(1, revision=2, dropped=9)
    journal.write([encode(more), encode(ban(2)), encode(binding(7))])
    with psycopg.connect(database_url, autocommit=True) as connection:
        restored = restore(journal, connection)
    found = sorted(restored.bans, key=lambda b: b.source)
    assert found == [more, ban(2, since=found[1].since, until=found[1].until), over]
    journal.close()


def test_a_pardon_reaches_the_engine_in_well_under_a_second(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    journal = journalled(tmp_path, ban(1), ban(2))
    carry(database_url, journal)
    journal.close()
    listener = Listener(database_url)
    assert listener.open().pardons == ()
    seen: list[ConfigSnapshot] = []
    listener.start(seen.append)
    begun = time.monotonic()
    connection.execute(
        "INSERT INTO guard_pardon (ban_id, by, at) VALUES (%s, 'alice', now())", (ban(1).id,)
    )
    until(lambda: seen, "the pardon", deadline=5)
    assert time.monotonic() - begun < 0.5
    listener.close()
    assert seen[-1].pardons == (Pardon(ban(1).id, "alice"),)
    later = Listener(database_url)
    assert later.open().pardons == seen[-1].pardons
    later.close()
