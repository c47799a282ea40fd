"""After a restart the engine knows what was acknowledged: Postgres plus the journal's tail."""

from __future__ import annotations

import operator
import tempfile
import time
import zlib
from pathlib import Path

import psycopg
from hypothesis import HealthCheck, example, given, settings

from pbx.enginelink.publisher import Publisher, nowhere
from pbx.enginelink.recorder import Recorder
from pbx.enginelink.restoring import restore
from sipengine.api import Fact
from sipengine.journal import Journal, Position, encode
from tests.pbx.enginelink.facts import binding, call, flow_of, fold, gone
from tests.pbx.enginelink.test_recorder import FACTS
from tests.pbx.enginelink.whole import bindings_of


def carry(url: str, journal: Journal) -> None:
    recorder = Recorder(url, journal, Publisher(nowhere))
    recorder.start()
    recorder.close(10.0)
    assert recorder.counters()["journal_pending_bytes"] == 0


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(carried=FACTS, tail=FACTS)
@example(carried=[call(1, 2, "ended")], tail=[call(1, 1, "ringing")])
def test_postgres_and_the_tail_add_up_to_all_facts(
    carried: list[Fact], tail: list[Fact], database_url: str, connection: psycopg.Connection
) -> None:
    connection.execute("TRUNCATE registrations_binding, calls_call, calls_leg")
    facts: list[Fact] = []
    seen: set[tuple[str, int]] = set()
    with tempfile.TemporaryDirectory() as home:
        journal = Journal.open(Path(home), segment_bytes=2_000)
        for part in (carried, tail):
            for fact in part:
                key = (getattr(fact, "id", ""), getattr(fact, "revision", 0))
                if key[0] and key in seen:
                    continue
                seen.add(key)
                facts.append(fact)
                journal.write([encode(fact)])
            if part is carried:
                carry(database_url, journal)
        journal.close()
        journal = Journal.open(Path(home))
        restored = restore(journal, connection)
        found = list(restored.bindings)
        journal.close()
    bindings, calls = fold(facts)
    assert {flow_of(b): b for b in found} == bindings
    assert len(found) == len(bindings)
    assert {c.id: c for c in restored.calls} == {
        key: value for key, value in calls.items() if value.state != "ended"
    }


def test_expired_bindings_are_restored_so_that_they_can_be_reported_gone(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    journal = Journal.open(tmp_path)
    journal.write([encode(binding(1, expires_at=1.0)), encode(binding(2)), encode(gone(2))])
    carry(database_url, journal)
    assert bindings_of(journal, connection) == [binding(1, expires_at=1.0)]
    journal.close()


def journal_line(kind: bytes, text: bytes) -> bytes:
    body = kind + text
    return b"%08x%b\n" % (zlib.crc32(body), body)


def test_a_journal_of_a_version_with_one_binding_a_contact_is_understood(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    """Its removals name no instance, its bindings no time of silence."""
    whole = encode(binding(3))[9:-1].replace(b',"unreachable_since":null', b"")
    assert b"unreachable" not in whole
    removal = b'{"aor":"%d@pbx.example","contact":"sip:%d@192.0.2.7:5062;transport=udp","why":"removed","at":1.0}'
    lines = [
        encode(binding(1)), journal_line(b"G", removal % (1, 1)), encode(binding(1, cseq=9)),
        encode(binding(2)), encode(binding(2, reg_id=2)), journal_line(b"G", removal % (2, 2)),
        journal_line(b"B", whole),
    ]  # fmt: skip
    journal = Journal.open(tmp_path)
    journal.write(lines)
    left = [binding(1, cseq=9), binding(3)]
    by_aor = operator.attrgetter("aor")
    assert sorted(bindings_of(journal, connection), key=by_aor) == left
    carry(database_url, journal)
    assert sorted(bindings_of(journal, connection), key=by_aor) == left
    journal.close()


def test_a_line_of_another_form_does_not_keep_the_engine_from_starting(
    tmp_path: Path, connection: psycopg.Connection
) -> None:
    journal = Journal.open(tmp_path)
    body = b'B{"aor":"1@pbx.example","contact":"sip:1@h","colour":"red"}'
    journal.write([b"%08x%b\n" % (zlib.crc32(body), body), encode(binding(2))])
    assert bindings_of(journal, connection) == [binding(2)]
    journal.close()


def test_a_journal_older_than_the_database_goes_on_after_it(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    journal = Journal.open(tmp_path)
    connection.execute(
        "INSERT INTO enginelink_journalposition VALUES (%s, 41, 12345)", (journal.id,)
    )
    bindings_of(journal, connection)
    journal.write([encode(call(1, 1))])
    assert journal.end > Position(41, 12345)
    restored = restore(journal, connection)
    assert restored.calls == [call(1, 1)]
    assert list(restored.bindings) == []
    carry(database_url, journal)
    assert connection.execute("SELECT count(*) FROM calls_call").fetchone() == (1,)
    journal.close()


def test_100_000_bindings_are_restored_in_a_few_seconds(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    journal = Journal.open(tmp_path)
    for start in range(0, 100_000, 1_000):
        journal.write([encode(binding(number)) for number in range(start, start + 1_000)])
        if start == 79_000:
            carry(database_url, journal)
    began = time.monotonic()
    found = bindings_of(journal, connection)
    took = time.monotonic() - began
    print(f"restore of 80,000 rows and 20,000 journal lines: {took:.2f} s")
    assert len(found) == 100_000
    assert took < 5
    journal.close()


def test_what_is_carried_while_the_bindings_are_read_neither_doubles_nor_hides_one(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    """The engine's recorder begins while its core still takes in the bindings."""
    journal = Journal.open(tmp_path)
    journal.write([encode(binding(number)) for number in range(1, 6)])
    carry(database_url, journal)
    journal.write([encode(binding(6)), encode(gone(1)), encode(binding(2, cseq=9))])
    restored = restore(journal, connection)
    journal.write([encode(gone(3)), encode(binding(7))])  # by the engine that is starting
    carry(database_url, journal)
    found = sorted(restored.bindings, key=operator.attrgetter("aor"))
    assert found == [binding(2, cseq=9), *(binding(number) for number in (3, 4, 5, 6))]
    journal.close()
