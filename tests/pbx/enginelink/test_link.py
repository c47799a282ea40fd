"""The one door: start, watch, facts, status, close, and one clear sentence when it cannot open."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import psycopg
import pytest

from pbx.enginelink.link import Link, LinkError
from pbx.supervisor.cluster import Cluster
from sipengine.api import ConfigSnapshot, Fact, RefusedPhone
from sipengine.journal import Journal, encode
from tests.pbx.enginelink.conftest import PROJECT, make_database
from tests.pbx.enginelink.directory import add_domain, add_extensions
from tests.pbx.enginelink.facts import binding, call, fold, tables
from tests.support.wait import until


def test_from_start_to_close(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    add_domain(connection, "pbx.example", default=True)
    link = Link(database_url, tmp_path / "journal")
    start = link.start()
    assert start.snapshot.default_domain == "pbx.example"
    assert (list(start.restored.bindings), start.restored.calls) == ([], [])

    seen: list[ConfigSnapshot] = []
    news = threading.Event()
    link.watch(lambda snapshot: (seen.append(snapshot), news.set())[0])
    add_extensions(connection, "pbx.example", 1001, 1)
    assert news.wait(5)
    until(lambda: seen[-1].extensions["1001@pbx.example"].ha1_md5, "the credential")

    phone = RefusedPhone("1001@pbx.example", "192.0.2.7", "Desk phone", 3, 1.8e9, 1.8e9 + 60)
    link.publish_status({"calls": 3, "load": 0.5}, seen[-1].generation, [phone])
    row = until(
        lambda: connection.execute(
            "SELECT name, generation, counters, refused, now() - heartbeat_at < interval '3 s', pid > 0"
            " FROM enginelink_enginestatus"
        ).fetchone(),
        "the heartbeat",
    )
    assert row == (
        "engine",
        seen[-1].generation,
        {"calls": 3, "load": 0.5},
        [asdict(phone)],
        True,
        True,
    )

    facts: list[Fact] = [binding(1), call(1, 1), call(2, 4, "ended")]
    link.journal.write([encode(fact) for fact in facts])
    link.notify_written()
    link.close(5.0)
    assert tables(connection) == fold(facts)
    assert link.counters()["ship_lines"] == 3

    again = Link(database_url, tmp_path / "journal")
    assert list(again.start().restored.bindings) == [binding(1)]
    again.close()


def test_counters_say_where_everything_stands(tmp_path: Path, database_url: str) -> None:
    link = Link(database_url, tmp_path / "journal")
    assert link.counters() == {}
    link.start()
    link.journal.write([encode(binding(1))])
    link.notify_written()
    until(lambda: link.counters()["ship_lines"] == 1, "the line")
    counters = link.counters()
    assert counters["journal_lines_written"] == 1
    assert counters["journal_pending_bytes"] == counters["ship_rejected"] == 0
    assert counters["ship_connected"] == 1
    link.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "postgresql://pbx@/none?host=/nowhere",
            r"^The database cannot be used \(see DATABASE_URL\): ",
        ),
        ("postgresql://pbx:sesame@127.0.0.1:1/none", r"^The database cannot be used"),
    ],
)
def test_a_database_that_does_not_answer_is_one_sentence_without_secrets(
    tmp_path: Path, url: str, sentence: str
) -> None:
    link = Link(url, tmp_path / "journal")
    began = time.monotonic()
    with pytest.raises(LinkError, match=sentence) as caught:
        link.start(patience_s=0.3)
    assert time.monotonic() - began < 3
    assert "\n" not in str(caught.value)
    assert "sesame" not in str(caught.value)
    Journal.open(tmp_path / "journal").close()  # nothing stays open


def test_a_database_without_tables_is_one_sentence(
    tmp_path: Path, postgres_cluster: Cluster
) -> None:
    with psycopg.connect(postgres_cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS link_empty WITH (FORCE)")
    link = Link(make_database(postgres_cluster, "link_empty"), tmp_path / "journal")
    with pytest.raises(
        LinkError, match=r"no tables, or old ones: make them with \./run migrate\.$"
    ):
        link.start()


def test_a_journal_in_use_is_one_sentence(tmp_path: Path, database_url: str) -> None:
    journal = Journal.open(tmp_path / "journal")
    with pytest.raises(LinkError, match="in use by another engine"):
        Link(database_url, tmp_path / "journal").start()
    journal.close()


def test_the_engine_needs_no_django(tmp_path: Path) -> None:
    """D13, and 40 MB of memory: nothing of the link imports Django, Celery or the models."""
    script = (
        "import sys; import pbx.enginelink.link\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('django', 'celery', 'channels')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
