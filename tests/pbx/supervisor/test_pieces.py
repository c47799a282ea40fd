"""Ports, the lock, the log files and the sockets' directory."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pbx.environment import Environment
from pbx.supervisor import data_dir, log_file
from pbx.supervisor.lock import COMMAND, SUPERVISOR, DataDirLock, Held
from pbx.supervisor.log_file import LogFile
from pbx.supervisor.parts import UnknownPart, chosen
from pbx.supervisor.ports import Port, PortTrouble, check_free, listen


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_taken_port_is_named_with_its_variable_and_what_to_do(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(PortTrouble) as caught:
            check_free("127.0.0.1", Port("PBX_SIP_PORT", number, kind))
    told = str(caught.value)
    assert told.startswith(f"PBX_SIP_PORT={number}: ")
    assert "in use" in told
    assert "set PBX_SIP_PORT to a free port" in told


def test_an_address_that_is_not_ours_is_told() -> None:
    with pytest.raises(
        PortTrouble, match=r"PBX_BIND=192\.0\.2\.1: this machine has no such address"
    ):
        check_free("192.0.2.1", Port("PBX_SIP_PORT", 5060, socket.SOCK_DGRAM))


def test_the_unspecified_ipv6_address_answers_ipv4_too() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    with (
        listen("::", Port("PBX_HTTP_PORT", number, socket.SOCK_STREAM)),
        socket.create_connection(("127.0.0.1", number), timeout=5),
    ):
        pass


def test_a_data_directory_has_one_holder(tmp_path: Path) -> None:
    with DataDirLock(tmp_path, SUPERVISOR):
        with pytest.raises(Held) as caught:
            DataDirLock(tmp_path, COMMAND)
        assert (caught.value.role, caught.value.pid) == (SUPERVISOR, str(os.getpid()))
    DataDirLock(tmp_path, COMMAND).release()


def test_nobody_waits_for_a_supervisor_to_end(tmp_path: Path) -> None:
    with DataDirLock(tmp_path, SUPERVISOR), pytest.raises(Held):
        DataDirLock.wait(tmp_path, COMMAND, patience=60)


def test_a_log_stays_below_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "FILE_MAX", 100)
    log = LogFile(tmp_path / "part.log")
    for number in range(60):
        log.data_received(f"line {number:04}\n".encode())
    log.connection_lost(None)
    files = sorted(tmp_path.iterdir())
    assert len(files) == log_file.FILES_KEPT
    assert all(file.stat().st_size <= 100 for file in files)
    assert (tmp_path / "part.log").read_text().endswith("line 0059\n")
    assert log.tail[-1] == "line 0059"


@contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    """Files of this process end at `size` bytes (setrlimit(2)); beyond it a write fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_a_log_the_lines_that_do_not_fit_and_says_so_later(
    tmp_path: Path,
) -> None:
    log = LogFile(tmp_path / "part.log")
    log.data_received(b"before\n")
    with disk_with_room_for(10):
        log.data_received(b"torn here\n")
        log.data_received(b"lost\n")
    assert log.tail == ["before", "torn here", "lost"]
    log.data_received(b"after\n")
    log.data_received(b"the end\n")
    log.connection_lost(None)
    assert (tmp_path / "part.log").read_text() == (
        "before\ntor\n(12 bytes could not be written: File too large)\nafter\nthe end\n"
    )


def environment_at(directory: Path) -> Environment:
    directory.mkdir(parents=True)
    return Environment.load({"PBX_DATA_DIR": str(directory)})


def test_a_long_path_puts_the_sockets_elsewhere_behind_a_link(tmp_path: Path) -> None:
    environment = environment_at(tmp_path / ("deep" * 30))
    data_dir.furnish(environment, None, None)
    socket_path = environment.run_dir / ".s.PGSQL.5432"
    assert len(os.fsencode(socket_path)) <= 107
    assert environment.run_dir.is_dir()
    assert (environment.data_dir / "run").is_symlink()
    data_dir.furnish(environment, None, None)  # and again, as at every start
    environment.run_dir.rmdir()


def test_secrets_are_made_once_and_closed_to_others(tmp_path: Path) -> None:
    environment = environment_at(tmp_path / "data")
    data_dir.furnish(environment, None, None)
    key = environment.secret_key
    assert len(key) >= 48
    assert environment.secret_key_file.stat().st_mode & 0o077 == 0
    assert environment.secret_key_file.parent.stat().st_mode & 0o077 == 0
    data_dir.furnish(environment, None, None)
    assert environment.secret_key == key


def test_only_the_engine_brings_just_its_database() -> None:
    environment = Environment.load({})
    assert chosen(["engine"], environment) == ["postgres", "engine"]
    external = Environment.load({"DATABASE_URL": "postgresql://h/x", "REDIS_URL": "redis://h"})
    assert chosen(["engine"], external) == ["engine"]
    assert chosen([], external) == ["engine", "gateway", "web", "worker", "beat"]


def test_an_unknown_part_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownPart, match="--only motor: no such part; the parts are postgres,"):
        chosen(["motor"], Environment.load({}))


def test_the_supervisor_carries_no_django() -> None:
    """It lives beside the parts that need the memory more."""
    program = (
        "import sys, pbx.supervisor.__main__\n"
        "print([name for name in ('django.conf', 'psycopg', 'celery', 'redis') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
