"""The TCP connection that stands in for a UDP flow (RFC 3261 §18.1.1), over real sockets."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

import pytest

from tests.net.served import DEADLINE, Served, read_exactly
from tests.support.wait import until

ADDRESS = tuple[str, int]


def send_beside(served: Served, address: ADDRESS) -> None:
    def send() -> None:
        udp = served.endpoint.flow_to("UDP", *address)
        served.core.out.append((served.endpoint.stream_beside(udp), b"large"))
        served.endpoint.drain(time.monotonic())

    served.call(send)


def test_it_goes_to_the_same_address() -> None:
    with Served() as served, socket.create_server(("127.0.0.1", 0)) as phone:
        phone.settimeout(DEADLINE)
        send_beside(served, phone.getsockname())
        there, _ = phone.accept()
        with there:
            assert read_exactly(there, 5) == b"large"


def test_a_refusal_is_told_at_once() -> None:
    with Served() as served:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            address = gone.getsockname()
        begun = time.monotonic()
        send_beside(served, address)
        until(lambda: len(served.core.failed) == 1, "the refusal")
        assert time.monotonic() - begun < 1


def test_silence_is_not_waited_for_as_long_as_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipengine.net.endpoint.TICK_S", 0.05)
    monkeypatch.setattr("sipengine.net.connections.STREAM_S", 0.2)
    with (
        Served() as served,
        socket.create_server(("127.0.0.1", 0), backlog=0) as peer,
        ExitStack() as waiting,
    ):
        for _ in range(4):  # they fill the backlog, and the kernel lets nobody else in
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(peer.getsockname())
        begun = time.monotonic()
        send_beside(served, peer.getsockname())
        until(lambda: len(served.core.failed) == 1, "the end of patience")
        assert time.monotonic() - begun < 3
