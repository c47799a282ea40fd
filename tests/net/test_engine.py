"""The engine's life as a process: start, stop, sudden death, and ten thousand silent connections."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipengine import journal
from sipengine.api import BindingRecord
from sipengine.engine import Engine, EngineError, derive_secret
from tests.net.engine_process import PASSWORD, LinkWithoutDatabase, settings
from tests.net.served import is_closed
from tests.support import child
from tests.support.wait import until
from tests.support.wire import Wire, digest

DEADLINE = 10.0
SILENT_CONNECTIONS = 10_000


class EngineProcess:
    def __init__(self, directory: Path, certificate: str = "") -> None:
        """With a certificate's file it has TLS and WebSocket, too."""
        self.directory = directory
        self.log = directory / "engine.log"
        self.process = child.start(
            [
                sys.executable,
                "-m",
                "tests.net.engine_process",
                directory,
                *filter(None, [certificate]),
            ],
            self.log,
        )
        until(
            lambda: "engine ready" in self.text, "the engine", explain=lambda: child.tail(self.log)
        )
        self.port, *more = map(int, self.text.split("\n", 1)[0].split())
        self.tls_port, self.ws_port = more or (0, 0)

    @property
    def text(self) -> str:
        return self.log.read_text()

    @property
    def server(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    @property
    def memory_kib(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def facts(self) -> list[object]:
        """What the journal holds, once nobody has it open."""
        opened = journal.Journal.open(self.directory / "journal")
        try:
            return [journal.decode(line) for line in opened.read()]
        finally:
            opened.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineProcess]:
    running = EngineProcess(tmp_path)
    yield running
    child.stop(running.process)


def register(wire: Wire, device: int) -> int:
    """Register a contact of 1001; the status of the answer to the credentials."""
    uri = "sip:test.example"
    text = (
        f"REGISTER {uri} SIP/2.0\nVia: SIP/2.0/UDP {wire.local};branch=z9hG4bK{{}}{device};rport\n"
        f"From: <sip:1001@test.example>;tag=1\nTo: <sip:1001@test.example>\n"
        f"Call-ID: {device}\nCSeq: {{}} REGISTER\nMax-Forwards: 70\n"
        f"Contact: <sip:1001@{wire.local};device={device}>\nExpires: 600\n{{}}Content-Length: 0\n\n"
    )
    wire.send(text.format("a", 1, ""))
    challenge = wire.receive_status(401)
    wanted = next(c for c in challenge.all("WWW-Authenticate") if "MD5" in c)
    authorization = digest(wanted, "1001", PASSWORD, "REGISTER", uri)
    wire.send(text.format("b", 2, f"Authorization: {authorization}\n"))
    return wire.receive_final().status


def ping(wire: Wire) -> int:
    wire.send(
        f"OPTIONS sip:{wire.server[0]}:{wire.server[1]} SIP/2.0\n"
        f"Via: SIP/2.0/UDP {wire.local};branch=z9hG4bKp;rport\nFrom: <sip:a@b>;tag=1\n"
        "To: <sip:c@d>\nCall-ID: p\nCSeq: 1 OPTIONS\nMax-Forwards: 70\nContent-Length: 0\n\n"
    )
    return wire.receive_final().status


def test_one_line_tells_that_it_is_ready_and_where(engine: EngineProcess) -> None:
    lines = [line for line in engine.text.split("\n") if "level=info" in line]
    assert len(lines) == 1
    assert f"udp=127.0.0.1:{engine.port} tcp=127.0.0.1:{engine.port}" in lines[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_everything_acknowledged_on_disk(
    engine: EngineProcess, number: signal.Signals
) -> None:
    with Wire(engine.server) as wire:
        assert register(wire, 1) == 200
    engine.process.send_signal(number)
    assert engine.process.wait(DEADLINE) == 0
    assert [type(fact) for fact in engine.facts()] == [BindingRecord]
    assert "Traceback" not in engine.text


def test_kill_9_loses_nothing_that_was_acknowledged(engine: EngineProcess) -> None:
    acknowledged = []
    with Wire(engine.server) as wire:
        for device in range(10):
            assert register(wire, device) == 200
            acknowledged.append(f"device={device}")
        engine.process.kill()
        engine.process.wait()
    contacts = [fact.contact for fact in engine.facts() if isinstance(fact, BindingRecord)]
    for name in acknowledged:
        assert any(contact.endswith(name) for contact in contacts)


def test_a_taken_port_is_one_sentence_that_names_it(tmp_path: Path) -> None:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as other:
            other.bind(("127.0.0.1", 0))
            if kind == socket.SOCK_STREAM:
                other.listen()
            port = other.getsockname()[1]
            with pytest.raises(EngineError, match=rf"127\.0\.0\.1 port {port}.*PBX_SIP_PORT"):
                Engine(settings(port), LinkWithoutDatabase(tmp_path)).run()


def test_a_wrong_variable_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sipengine"],
        env={**os.environ, "PBX_DATA_DIR": str(tmp_path), "PBX_SIP_PORT": "five"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "sipengine: PBX_SIP_PORT=five: not a port number; give 1-65535\n"


def test_a_database_that_is_away_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sipengine"],
        env={
            **os.environ,
            "PBX_DATA_DIR": str(tmp_path),
            "PBX_SECRET_KEY": "k" * 40,
            "DATABASE_URL": "postgresql://pbx@127.0.0.1:1/none",
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "DATABASE_URL" in done.stderr


def test_the_engines_secret_is_not_the_installations(tmp_path: Path) -> None:
    assert derive_secret("a" * 32) == derive_secret("a" * 32)
    assert derive_secret("a" * 32) != derive_secret("b" * 32)
    assert b"a" * 8 not in derive_secret("a" * 32)


def test_thousands_of_silent_connections_cost_little_and_hold_up_nobody(
    engine: EngineProcess,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # As many as this process and the engine may have open, each with some to spare.
    wanted = min(SILENT_CONNECTIONS, hard - 400)
    before = engine.memory_kib
    try:
        with contextlib.ExitStack() as phones, Wire(engine.server) as wire:
            for _ in range(wanted):
                phones.enter_context(socket.create_connection(engine.server, timeout=DEADLINE))
            assert ping(wire) == 200
            with socket.create_connection(engine.server, timeout=DEADLINE) as last:
                last.sendall(b"\r\n\r\n")
                assert last.recv(2) == b"\r\n"
            assert (engine.memory_kib - before) / wanted < 6
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with socket.create_connection(engine.server, timeout=DEADLINE) as noise:
        noise.sendall(b"\x16\x03\x01")
        assert is_closed(noise)
