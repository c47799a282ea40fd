"""The whole PBX as real processes: ready, killed, stopped, started again (docs/operations.md)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from pbx.environment import Environment
from pbx.supervisor.readiness import engine_answers
from tests.support.pbx_process import PROJECT, PbxProcess
from tests.support.processes import Process, descendants
from tests.support.wait import until

BACK_S = 30.0
"""A killed part is started again after 0.1 s; the rest is a busy machine's time to start it."""


def health(pbx: PbxProcess) -> dict[str, Any]:
    assert pbx.ready is not None
    try:
        with urllib.request.urlopen(f"{pbx.ready.http}/healthz", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as refused:
        found = json.load(refused)
    except OSError:
        return {}
    return found


def is_well(pbx: PbxProcess) -> bool:
    return health(pbx).get("status") == "ok"


def one(pbx: PbxProcess, word: str) -> Process | None:
    """The supervisor's own child with that word, or None while there is none."""
    children = [part for part in pbx.parts(word) if part.parent == pbx.process.pid]
    return children[0] if children else None


def another(pbx: PbxProcess, word: str, old: Process) -> Process | None:
    found = one(pbx, word)
    return found if found and found.pid != old.pid else None


PARTS = {
    "postgres": "bin/postgres",
    "valkey": "valkey-server",
    "engine": "-m sipengine",
    "gateway": "-m sipengine.gateway",
    "web": "pbx.uvicorn",
    "worker": "pbx.celery worker",
    "beat": "pbx.celery beat",
}


@pytest.fixture(scope="module")
def pbx() -> Iterator[PbxProcess]:
    with PbxProcess() as started:
        yield started


def test_ready_names_every_door_and_every_part_is_well(pbx: PbxProcess) -> None:
    lines = [line for line in pbx.log.read_text().splitlines() if line.startswith("READY")]
    assert len(lines) == 1
    variables = pbx.environment
    assert lines[0] == (
        f"READY http=http://127.0.0.1:{variables['PBX_HTTP_PORT']} "
        f"https=https://127.0.0.1:{variables['PBX_HTTPS_PORT']} "
        f"sip=127.0.0.1:{variables['PBX_SIP_PORT']} domain={variables['PBX_DOMAIN']}"
    )
    found = health(pbx)
    assert found["status"] == "ok"
    assert set(found["parts"]) == {
        "web",
        "database",
        "engine",
        "gateway",
        "disk",
        "redis",
        "worker",
        "beat",
    }


@pytest.mark.parametrize("name", PARTS)
def test_a_killed_part_comes_back(pbx: PbxProcess, name: str) -> None:
    until(lambda: is_well(pbx), "everything to be well", deadline=BACK_S)
    before = one(pbx, PARTS[name])
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    until(
        lambda: (
            [part for part in pbx.parts(PARTS[name]) if part.pid != before.pid]
            and one(pbx, PARTS[name]) not in (None, before)
        ),
        f"{name} to be started again",
        deadline=BACK_S,
        explain=pbx.tail,
    )
    until(lambda: is_well(pbx), "everything to be well again", deadline=BACK_S, explain=pbx.tail)
    if name == "engine":
        host, port = pbx.sip
        until(
            lambda: asyncio.run(engine_answers(host, port)),
            "the engine to answer OPTIONS (RFC 3261 §11)",
            deadline=BACK_S,
        )
    assert pbx.process.poll() is None


def test_a_second_start_on_the_same_data_is_refused(pbx: PbxProcess) -> None:
    done = refused(pbx.environment)
    assert f"PBX_DATA_DIR={pbx.environment['PBX_DATA_DIR']}: another Branchline uses it" in done


def test_a_restarted_web_part_refuses_no_connection(pbx: PbxProcess) -> None:
    """The supervisor holds the listening socket, so who comes in between waits."""
    assert pbx.ready is not None
    web = one(pbx, PARTS["web"])
    assert web is not None
    os.kill(web.pid, signal.SIGKILL)
    with urllib.request.urlopen(f"{pbx.ready.http}/healthz/web", timeout=BACK_S) as answer:
        assert answer.status == 200


def test_sigterm_stops_everything_and_the_next_start_is_quick(pbx: PbxProcess) -> None:
    family = descendants(pbx.process.pid)
    assert len(family) >= len(PARTS)
    begun = time.monotonic()
    assert pbx.stop() == 0
    assert time.monotonic() - begun < 10
    assert not [member for member in family if member.is_running()]
    pbx.start()
    assert pbx.started_in < 15  # 2 s where nothing else is at work
    assert pbx.stop() == 0


def test_killing_the_supervisor_leaves_nothing_and_loses_nothing(pbx: PbxProcess) -> None:
    pbx.start()
    pbx.apply({"extensions": [{"number": "2001", "name": "Kept", "password": "s3cret-kept-1"}]})
    family = descendants(pbx.process.pid)
    os.kill(pbx.process.pid, signal.SIGKILL)
    pbx.process.wait()
    until(
        lambda: not any(member.is_running() for member in family),
        "every process to be gone",
        deadline=15,
        explain=lambda: str([member for member in family if member.is_running()]),
    )
    pbx.start()
    assert pbx.query("SELECT number FROM directory_extension") == [{"number": "2001"}]


def test_commands_work_while_it_is_stopped(pbx: PbxProcess) -> None:
    pbx.stop()
    assert pbx.calls() == []
    exported = pbx.run("export")
    assert "2001" in exported
    leftover = [line for line in running_commands() if pbx.environment["PBX_DATA_DIR"] in line]
    assert not leftover


def running_commands() -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


# ------------------------------------------------------------------ starts that must fail


@pytest.fixture
def quiet() -> Iterator[PbxProcess]:
    """One that is not started yet: its ports and directory are free."""
    made = PbxProcess()
    yield made
    left = [line for line in running_commands() if str(made.root) in line]
    assert not left


def refused(environment: dict[str, str], *words: str) -> str:
    """Start, expect a failure; returns what was said on stderr."""
    done = subprocess.run(
        [str(PROJECT / "run"), "up", *words],
        env={**os.environ, **environment},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode != 0
    assert "READY" not in done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_taken_port_is_one_clear_line(quiet: PbxProcess) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", int(quiet.environment["PBX_SIP_PORT"])))
        said = refused(quiet.environment)
    number = quiet.environment["PBX_SIP_PORT"]
    assert (
        f"PBX_SIP_PORT={number}: UDP port {number} is in use by another program; "
        "stop that one or set PBX_SIP_PORT to a free port"
    ) in said


def test_wrong_variables_are_one_line_each(quiet: PbxProcess) -> None:
    said = refused(quiet.environment | {"PBX_SIP_PORT": "abc", "PBX_GUARD": "maybe"})
    assert "PBX_SIP_PORT=abc: not a port number; give 1-65535\n" in said
    assert "PBX_GUARD=maybe: give on or off\n" in said


def test_a_dead_database_is_one_clear_line(quiet: PbxProcess) -> None:
    url = "postgresql://pbx:hidden-password@127.0.0.1:9/branchline"
    said = refused(quiet.environment | {"DATABASE_URL": url})
    assert re.search(r"^DATABASE_URL: the database does not answer: .+", said, re.MULTILINE)
    assert "hidden-password" not in said


def test_a_dead_redis_is_one_clear_line(quiet: PbxProcess) -> None:
    said = refused(quiet.environment | {"REDIS_URL": "redis://127.0.0.1:9/0"})
    assert re.search(r"^REDIS_URL: Redis does not answer: .+", said, re.MULTILINE)


def test_a_certificate_that_is_none_is_one_clear_line(quiet: PbxProcess) -> None:
    quiet.root.joinpath("cert.pem").write_text("not a certificate")
    path = str(quiet.root / "cert.pem")
    said = refused(quiet.environment | {"PBX_TLS_CERT": path, "PBX_TLS_KEY": path}, "--only", "web")
    assert f"PBX_TLS_CERT, PBX_TLS_KEY: {path} and {path} cannot be used" in said
    assert "give a PEM certificate with its key" in said


def test_an_unknown_part_is_one_clear_line(quiet: PbxProcess) -> None:
    assert "--only motor: no such part" in refused(quiet.environment, "--only", "motor")


# ------------------------------------------------------------------ other shapes


def test_only_the_engine_needs_only_its_database() -> None:
    with PbxProcess(only="engine") as pbx:
        assert not pbx.parts("valkey")
        assert not pbx.parts("celery")
        assert not pbx.parts("pbx.uvicorn")
        assert pbx.engine().is_running()


def test_it_runs_on_a_postgres_given_by_url(postgres_cluster: Any) -> None:
    with psycopg.connect(postgres_cluster.url("postgres"), autocommit=True) as server:
        server.execute("CREATE DATABASE external")
    url = postgres_cluster.url("external")
    with PbxProcess(only="engine", environment={"DATABASE_URL": url}) as pbx:
        assert not pbx.parts("postgres")
        assert not Environment.load(pbx.environment).database_is_embedded


def test_demo_extensions_are_made_once_and_their_passwords_told_once() -> None:
    with PbxProcess(only="engine") as pbx:
        pbx.stop()
        for expected in (
            r"Demo extension 1001: password \S+",
            "Demo extension 1001 is there already",
        ):
            process = subprocess.Popen(
                [str(PROJECT / "run"), "up", "--only", "engine", "--demo"],
                env={**os.environ, **pbx.environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if line.startswith("READY"):
                    break
            process.terminate()
            process.communicate(timeout=12)
            assert process.returncode == 0
            assert re.search(expected, said), said


def test_data_under_a_closed_home_work_and_survive_a_killed_postgres() -> None:
    """Root's home is closed to the user that Postgres runs as; a normal user's is her own."""
    with PbxProcess(only="engine") as pbx:
        pbx.stop()
        home = pbx.root / "closed"
        home.mkdir(mode=0o700)
        pbx.environment["PBX_DATA_DIR"] = str(home / "data")
        pbx.start()
        pbx.apply({"extensions": [{"number": "2002", "password": "s3cret-kept-2"}]})
        before = one(pbx, PARTS["postgres"])
        assert before is not None
        os.kill(before.pid, signal.SIGKILL)
        until(
            lambda: pbx.query("SELECT number FROM directory_extension") == [{"number": "2002"}],
            "the database to be back with what was in it",
            deadline=BACK_S,
            explain=pbx.tail,
        )
        assert pbx.stop() == 0
