"""As many half-open TLS connections as the engine may have: calls go on, memory is bounded, all are cut."""

from __future__ import annotations

import resource
import select
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sipengine.net.limits import Limits
from tests.net.test_engine import EngineProcess, ping
from tests.net.test_idle_connections import engine, over_tls
from tests.net.test_tls_hostile import CLIENT_HELLO
from tests.support.wait import until
from tests.support.wire import Wire

__all__ = ["engine"]  # the fixture

LIMITS = Limits()
OPENING_S = LIMITS.connect_s - 1.0
"""Then the first of them are about to be cut."""
EVERY = 500
AT_LEAST = 3_000
"""What even a busy machine opens in that time."""
KIB_EACH = 64.0
"""48 are used in the middle of a handshake; less is seen where not all have had their turn yet."""


@pytest.fixture
def halves() -> Iterator[list[socket.socket]]:
    sockets: list[socket.socket] = []
    yield sockets
    for one in sockets:
        one.close()


def half_open(engine: EngineProcess, at: int) -> socket.socket | None:
    """A connection that has said half of its first word, or nothing; None if it is not taken."""
    source = (f"127.0.0.{2 + at % 50}", 0)  # a botnet
    try:
        one = socket.create_connection(("127.0.0.1", engine.tls_port), 2.0, source)
        one.sendall(CLIENT_HELLO[: at % len(CLIENT_HELLO)])
    except OSError:
        return None
    return one


def closed_of(sockets: list[socket.socket]) -> int:
    """How many of them the engine has closed."""
    poll = select.poll()
    for one in sockets:
        poll.register(one, select.POLLIN | select.POLLHUP | select.POLLRDHUP)
    return len(poll.poll(0))


def test_half_handshakes_up_to_the_limit_hold_up_nobody_and_are_cut(
    engine: EngineProcess, tmp_path: Path, halves: list[socket.socket]
) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(LIMITS.total, hard - 400)
    descriptors = Path(f"/proc/{engine.process.pid}/fd")
    context = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
    context.check_hostname = False
    slowest = 0.0
    with ExitStack() as stack:
        wire = stack.enter_context(Wire(engine.server))
        phone = stack.enter_context(over_tls(engine, context))
        before = engine.memory_kib
        begun = time.monotonic()
        while len(halves) < most and time.monotonic() - begun < OPENING_S:
            one = half_open(engine, len(halves))
            if one is None:
                break
            halves.append(one)
            if len(halves) % EVERY == 0:
                asked = time.monotonic()
                assert ping(wire) == 200
                phone.sendall(b"\r\n\r\n")
                assert phone.recv(2) == b"\r\n"
                slowest = max(slowest, time.monotonic() - asked)
        opened = len(halves)
        there = len(list(descriptors.iterdir()))
        each = (engine.memory_kib - before) / opened
        print(f"{opened} half-open, {each:.1f} KiB each, slowest answers {slowest * 1000:.0f} ms")
        assert opened >= min(AT_LEAST, most)
        assert there >= min(AT_LEAST, most) * 0.9
        assert each < KIB_EACH
        assert slowest < 1.0
        if opened < most:  # somebody new still gets in
            asked = time.monotonic()
            stack.enter_context(over_tls(engine, context)).sendall(b"\r\n\r\n")
            assert time.monotonic() - asked < LIMITS.connect_s
        until(lambda: closed_of(halves) == opened, "all to be cut", deadline=LIMITS.connect_s + 15)
        assert ping(wire) == 200
        phone.sendall(b"\r\n\r\n")
        assert phone.recv(2) == b"\r\n"
    until(lambda: len(list(descriptors.iterdir())) < 200, "their descriptors", deadline=20)
