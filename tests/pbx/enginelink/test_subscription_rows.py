"""Subscriptions on their way: journal line, row, and record again after a restart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zlib import crc32

import psycopg
import pytest

from pbx.enginelink.publisher import Publisher, nowhere
from pbx.enginelink.recorder import Recorder
from pbx.enginelink.subscription_rows import stored_subscriptions
from sipengine.api import Fact, SubscriptionGone, SubscriptionRecord
from sipengine.journal import START, Journal, decode, encode
from sipengine.journal.lines import parse
from tests.pbx.enginelink.facts import T0, binding, call
from tests.pbx.enginelink.whole import restored_whole


def subscription(number: int, **changes: object) -> SubscriptionRecord:
    record = SubscriptionRecord(
        id=f"0a1b2c3d-e{number}",
        package="dialog",
        event_id="7",
        resource="1002@pbx.example",
        subscriber="1001@pbx.example",
        call_id="f81d4fae@192.0.2.7",
        local="<sip:1002@pbx.example>",
        remote='"Alice \xc3\xbc" <sip:1001@pbx.example>;tag=88',
        remote_tag="88",
        target="sip:1001@192.0.2.7:5062",
        routes=["<sip:edge.example;lr>"],
        cseq=32,
        remote_cseq=2,
        expires_at=T0 + 3600.5,
        transport="UDP",
        received="192.0.2.7:5062",
        user_agent="desk phone",
        created_at=T0,
        updated_at=T0 + 0.25,
        kind="application/cpim-pidf+xml",
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def gone(number: int) -> SubscriptionGone:
    return SubscriptionGone(subscription(number).id, "timeout", T0)


def carry(url: str, journal: Journal) -> None:
    recorder = Recorder(url, journal, Publisher(nowhere))
    recorder.start()
    recorder.close(10.0)
    assert recorder.counters()["journal_pending_bytes"] == 0
    assert recorder.counters()["ship_rejected"] == 0


@pytest.mark.parametrize("fact", [subscription(1), gone(1)])
def test_a_line_is_what_it_was(fact: SubscriptionRecord | SubscriptionGone) -> None:
    assert decode(parse(encode(fact)[:-1], START)) == fact


def test_lines_of_an_older_version_are_still_understood() -> None:
    for fact in (binding(1), call(1, 1)):
        assert decode(parse(encode(fact)[:-1], START)) == fact


def test_a_line_from_before_there_were_types_of_documents(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    old = encode(subscription(1))[8:-1].replace(b',"kind":"application/cpim-pidf+xml"', b"")
    assert b"kind" not in old
    line = b"%08x%b\n" % (crc32(old), old)
    journal = Journal.open(tmp_path)
    journal.write([line])
    carry(database_url, journal)
    assert stored_subscriptions(connection) == {
        subscription(1).id: (expected := subscription(1, kind=""))
    }
    assert decode(parse(line[:-1], START)) == expected
    journal.close()


def test_rows_follow_the_facts_and_come_back(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    journal = Journal.open(tmp_path)
    facts: list[Fact] = [subscription(1), subscription(2), binding(1), gone(2), subscription(3)]
    journal.write([encode(fact) for fact in facts])
    carry(database_url, journal)
    assert stored_subscriptions(connection) == {s.id: s for s in (subscription(1), subscription(3))}
    refreshed = subscription(1, cseq=64, expires_at=T0 + 9000, target="sip:1001@192.0.2.8")
    journal.write([encode(fact) for fact in (refreshed, gone(3), subscription(4))])
    restored = restored_whole(journal, connection)  # the tail is in the journal alone
    assert {s.id: s for s in restored.subscriptions} == {
        s.id: s for s in (refreshed, subscription(4))
    }
    carry(database_url, journal)
    assert restored_whole(journal, connection).subscriptions == [refreshed, subscription(4)]
    journal.close()
