"""Ten thousand idle connections, over TLS and WebSocket: what they cost, and that nobody waits for them."""

from __future__ import annotations

import resource
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.net.certificate_files import Authority
from tests.net.test_engine import EngineProcess, ping
from tests.support import child
from tests.support.wait import until
from tests.support.wire import Wire

OVER_TLS, OVER_WS = 3_000, 7_000
DEADLINE = 10.0
OPENING = (
    b"GET /sip HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: sip\r\n\r\n"
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineProcess]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    (tmp_path / "journal-and-log").mkdir()
    files = Authority(tmp_path).files("127.0.0.1")
    running = EngineProcess(tmp_path / "journal-and-log", files.certificate)
    yield running
    child.stop(running.process)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def over_tls(engine: EngineProcess, context: ssl.SSLContext) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", engine.tls_port), timeout=DEADLINE)
    return context.wrap_socket(plain)


def over_ws(engine: EngineProcess) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", engine.ws_port), timeout=DEADLINE)
    client.sendall(OPENING)
    assert client.recv(1000).startswith(b"HTTP/1.1 101 ")
    return client


def test_ten_thousand_idle_connections_are_bounded_in_memory_and_hold_up_nobody(
    engine: EngineProcess, tmp_path: Path
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    share = min(1.0, (hard - 400) / (OVER_TLS + OVER_WS))
    context = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
    context.check_hostname = False
    with ExitStack() as clients, Wire(engine.server) as wire:
        before = engine.memory_kib
        for _ in range(int(OVER_TLS * share)):
            clients.enter_context(over_tls(engine, context))
        between = engine.memory_kib
        for _ in range(int(OVER_WS * share)):
            clients.enter_context(over_ws(engine))
        after = engine.memory_kib
        print(
            f"KiB a connection: TLS {(between - before) / (OVER_TLS * share):.1f},"
            f" WS {(after - between) / (OVER_WS * share):.1f}"
        )
        assert (between - before) / (OVER_TLS * share) < 25
        assert (after - between) / (OVER_WS * share) < 12
        begun = time.monotonic()
        assert ping(wire) == 200
        last = clients.enter_context(over_tls(engine, context))
        last.sendall(b"\r\n\r\n")
        assert last.recv(2) == b"\r\n"
        assert time.monotonic() - begun < 1.0
    open_files = Path(f"/proc/{engine.process.pid}/fd")
    until(
        lambda: len(list(open_files.iterdir())) < 200, "their descriptors to be free", deadline=20
    )


def test_a_running_engine_takes_up_a_new_certificate_by_itself(
    engine: EngineProcess, tmp_path: Path
) -> None:
    """Whoever is connected stays connected; whoever comes next sees the new one."""
    context = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
    context.check_hostname = False
    renewed = Authority(tmp_path)  # another authority, too, as after years
    new_context = ssl.create_default_context(cafile=str(renewed.file))
    new_context.check_hostname = False
    with over_tls(engine, context) as before:
        renewed.files("renewed.test")

        def is_taken_up() -> bool:
            try:
                with over_tls(engine, new_context):
                    return True
            except ssl.SSLCertVerificationError:
                return False

        until(is_taken_up, "the new certificate", deadline=10, pause=0.2)
        before.sendall(b"\r\n\r\n")
        assert before.recv(2) == b"\r\n"
    assert 'event="certificate changed"' in engine.text
