"""`/healthz` and `/metrics`: what they say, and to whom."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from pbx.enginelink.models import EngineStatus
from pbx.environment import Environment
from pbx.health import checks, tasks, views
from pbx.health.checks import BEAT_KEY, Health
from pbx.supervisor.cluster import Cluster
from sipengine.meanings import MEANINGS

STRANGER = {"REMOTE_ADDR": "192.0.2.7"}
TOKEN = "a-token-of-some-length"


@pytest.fixture(autouse=True)
def no_memory() -> Iterator[None]:
    views._last = None
    cache.clear()
    yield
    views._last = None
    cache.clear()


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Health]:
    """What the checks find, for the view to tell; the checks themselves are tested below."""
    parts = {"database": Health(True), "engine": Health(True)}
    monkeypatch.setattr(views, "check_all", lambda: dict(parts))
    return parts


@pytest.fixture
def with_token(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Environment.load({"PBX_METRICS_TOKEN": TOKEN})
    monkeypatch.setattr(views, "current", lambda: environment)


def test_all_well_is_200(client: Client, found: dict[str, Health]) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "parts": {"web": {"ok": True}, "database": {"ok": True}, "engine": {"ok": True}},
    }


def test_one_that_fails_is_503_and_named(client: Client, found: dict[str, Health]) -> None:
    found["engine"] = Health(False, "the engine last reported 99 seconds ago")
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["engine"] == {
        "ok": False,
        "trouble": "the engine last reported 99 seconds ago",
    }


def test_strangers_learn_which_part_fails_but_no_details(
    client: Client, found: dict[str, Health]
) -> None:
    found["database"] = Health(False, "Postgres does not answer: host 10.0.0.5")
    answer = client.get("/healthz", **STRANGER)  # type: ignore[arg-type]
    assert answer.status_code == 503
    assert answer.json()["parts"]["database"] == {"ok": False}


def test_a_good_answer_is_given_again_for_a_second(
    client: Client, found: dict[str, Health]
) -> None:
    assert client.get("/healthz").status_code == 200
    found["engine"] = Health(False, "gone")
    assert client.get("/healthz").status_code == 200


def test_a_bad_answer_is_not_kept(client: Client, found: dict[str, Health]) -> None:
    found["engine"] = Health(False, "starting")
    assert client.get("/healthz").status_code == 503
    found["engine"] = Health(True)
    assert client.get("/healthz").status_code == 200


def test_the_log_tells_once_that_a_part_fell_ill_and_once_that_it_recovered(
    client: Client, found: dict[str, Health], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    found["engine"] = Health(False, "the engine last reported 60 seconds ago")
    for _ in range(3):
        assert client.get("/healthz").status_code == 503
    found["engine"] = Health(True)
    assert client.get("/healthz").status_code == 200
    assert [record.getMessage() for record in caplog.records] == [
        "engine is not well: the engine last reported 60 seconds ago",
        "engine is well again",
    ]


def test_the_web_part_answers_for_itself_alone(client: Client) -> None:
    assert client.get("/healthz/web").content == b"ok\n"


@pytest.mark.django_db
def test_metrics_are_for_this_machine(client: Client) -> None:
    EngineStatus.objects.create(
        name="engine",
        pid=1,
        started_at=timezone.now(),
        heartbeat_at=timezone.now(),
        counters={
            "calls now": 3,
            "ship_cpu_s": 0.5,
            "udp_bounced": 7,
            "name": "no number",
            "flag": True,
        },
    )
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    text = answer.content.decode()
    assert 'branchline_engine_calls_now{engine="engine"} 3.0\n' in text
    assert 'branchline_engine_ship_cpu_s{engine="engine"} 0.5\n' in text
    assert f"# HELP branchline_engine_udp_bounced {MEANINGS['udp_bounced']}\n" in text
    assert "# HELP branchline_engine_ship_cpu_s the engine's count of ship_cpu_s\n" in text
    assert "branchline_calls_now 0.0\n" in text
    assert "branchline_database_up 1.0\n" in text
    assert "no number" not in text
    assert "branchline_engine_flag" not in text


@pytest.mark.parametrize("shown", [{}, {"HTTP_AUTHORIZATION": "Bearer "}])
def test_metrics_need_a_token_from_elsewhere(client: Client, shown: dict[str, str]) -> None:
    answer = client.get("/metrics", **STRANGER, **shown)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
@pytest.mark.usefixtures("with_token")
def test_the_token_opens_the_metrics(client: Client) -> None:
    right = {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}
    wrong = {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}x"}
    assert client.get("/metrics", **STRANGER, **right).status_code == 200  # type: ignore[arg-type]
    assert client.get("/metrics", **STRANGER, **wrong).status_code == 401  # type: ignore[arg-type]


# ------------------------------------------------------------------ the checks


@pytest.fixture
def database(
    transactional_db: None, postgres_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Point the checks, which connect by themselves, at the test database."""
    environment = Environment.load({"DATABASE_URL": postgres_cluster.url("test_branchline")})
    monkeypatch.setattr(checks, "current", lambda: environment)


def status(age: float, name: str = "engine", **counters: int) -> None:
    moment = timezone.now() - timedelta(seconds=age)
    EngineStatus.objects.create(
        name=name, pid=1, started_at=moment, heartbeat_at=moment, counters=counters
    )


@pytest.mark.usefixtures("database")
def test_an_engine_that_reports_is_well() -> None:
    status(age=4)
    found = checks.check_all()
    assert found["database"] == found["engine"] == Health(True)


@pytest.mark.usefixtures("database")
def test_an_engine_that_cannot_write_its_journal_is_not_well() -> None:
    status(age=4, journal_refuses_now=1)
    trouble = "it refuses registrations: its disk takes nothing (see its log)"
    assert checks.check_all()["engine"] == Health(False, trouble)


@pytest.mark.usefixtures("database")
def test_a_disk_that_is_nearly_full_is_told_before_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "free_bytes", lambda _: 12_345_678)
    assert checks.check_all()["disk"] == Health(
        False,
        "the disk of PBX_DATA_DIR has 12 MB left: make room; when it is full, "
        "registrations are refused",
    )
    monkeypatch.setattr(checks, "free_bytes", lambda _: None)  # the data are another machine's
    assert checks.check_all()["disk"] == Health(True)


@pytest.mark.usefixtures("database")
def test_an_engine_that_stopped_reporting_is_told_with_its_age() -> None:
    status(age=60)
    assert checks.check_all()["engine"] == Health(False, "the engine last reported 60 seconds ago")


@pytest.mark.usefixtures("database")
def test_an_engine_of_several_processes_is_well_when_all_report() -> None:
    status(age=4, crew_processes_now=3)
    status(age=4, name="engine-1")
    missing = "1 of its 3 processes did not report yet"
    assert checks.check_all()["engine"] == Health(False, missing)
    status(age=40, name="engine-2")
    late = "its process engine-2 last reported 40 seconds ago"
    assert checks.check_all()["engine"] == Health(False, late)
    EngineStatus.objects.filter(name="engine-2").update(heartbeat_at=timezone.now())
    assert checks.check_all()["engine"] == Health(True)


@pytest.mark.usefixtures("database")
def test_an_engine_that_never_reported_is_told() -> None:
    assert checks.check_all()["engine"].trouble == "the engine has not reported yet"


def test_a_dead_database_is_told_within_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Environment.load({"DATABASE_URL": "postgresql://x@127.0.0.1:9/x"})
    monkeypatch.setattr(checks, "current", lambda: environment)
    begun = time.monotonic()
    found = checks.check_all()
    assert time.monotonic() - begun < checks.DEADLINE + 1
    assert found["database"].trouble.startswith("Postgres does not answer:")
    assert not found["engine"].ok


def test_a_check_that_hangs_counts_as_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "DEADLINE", 0.05)
    monkeypatch.setattr(checks, "_database", lambda: time.sleep(0.5) or Health(True))
    monkeypatch.setattr(checks, "_engine", lambda: Health(True))
    assert checks.check_all()["database"] == Health(False, "no answer within 0.05 seconds")


def test_a_gateway_is_asked_whether_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several one is enough; the first here is a socket that answers nothing."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as living,
    ):
        ports = []
        for each in (silent, living):
            each.bind(("127.0.0.1", 0))
            ports.append(each.getsockname()[1])
        urls = ",".join(f"ng://127.0.0.1:{port}" for port in ports)
        environment = Environment.load({"PBX_MEDIA": urls})
        monkeypatch.setattr(checks, "current", lambda: environment)
        assert checks._gateway().trouble == (
            f"no media gateway answers at 127.0.0.1:{ports[0]}, 127.0.0.1:{ports[1]}"
        )

        def answer() -> None:
            data, source = living.recvfrom(100)
            living.sendto(data.partition(b" ")[0] + b" d6:result4:ponge", source)

        living.recvfrom(100)  # of the question that nobody answered
        answering = threading.Thread(target=answer)
        answering.start()
        assert checks._gateway() == Health(True)
        answering.join()


def test_the_schedule_is_seen_by_its_task() -> None:
    assert checks._beat().trouble == "no task of the schedule has run yet"
    tasks.note_beat()
    assert checks._beat() == Health(True)
    cache.set(BEAT_KEY, time.time() - 120)
    assert checks._beat().trouble == "the last task of the schedule ran 120 seconds ago"
