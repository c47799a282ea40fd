"""Postgres is away: a page that says so instead of one that hangs, and a log that does not fill."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from types import TracebackType

import psycopg
import pytest
from django.db import OperationalError
from django.test import RequestFactory

from pbx.database_away import ImpatientConnection, Scarcely
from pbx.supervisor.cluster import Cluster
from webui.dashboard.views.failing import server_error


class Impatient(ImpatientConnection):
    patience = 0.5


@pytest.fixture
def frozen(postgres_cluster: Cluster) -> Iterator[psycopg.Connection]:
    """A connection whose server process is stopped in mid-air."""
    with Impatient.connect(postgres_cluster.url("postgres"), autocommit=True) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        pid = connection.info.backend_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield connection
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_silent_server_is_given_up(frozen: psycopg.Connection) -> None:
    begun = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match=r"has not answered for 0\.5 seconds"):
        frozen.execute("SELECT 1")
    assert time.monotonic() - begun < 3
    assert frozen.closed


def test_the_page_says_that_the_database_is_away() -> None:
    try:
        raise OperationalError("connection refused")
    except OperationalError:
        response = server_error(RequestFactory().get("/"))
    assert (response.status_code, response["Retry-After"]) == (503, "10")
    assert "The database does not answer" in response.content.decode()
    assert "calls go on" in response.content.decode()


def test_a_mistake_of_ours_is_still_one() -> None:
    try:
        raise KeyError("defect")
    except KeyError:
        response = server_error(RequestFactory().get("/"))
    assert response.status_code == 500
    assert "Something went wrong" in response.content.decode()


def record_of(error: BaseException) -> logging.LogRecord:
    trace: TracebackType | None = None
    return logging.LogRecord(
        "django.request", logging.ERROR, "", 0, "x: %s", ("/",), (type(error), error, trace)
    )


def test_the_log_says_it_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("pbx.database_away.time.monotonic", lambda: now)
    scarcely = Scarcely()
    passed = []
    for _ in range(120):
        record = record_of(OperationalError("connection refused\nIs it running?"))
        if scarcely.filter(record):
            passed.append(record)
        now += 1
    assert [record.getMessage() for record in passed] == [
        "the database does not answer; 1 pages since the last such line: connection refused",
        "the database does not answer; 60 pages since the last such line: connection refused",
    ]
    assert passed[0].exc_info is None
    assert scarcely.filter(record_of(KeyError("defect"))), "defects are told each"
