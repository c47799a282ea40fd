"""A worker sends over connections that the owner has, and hears of their end."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from sipengine.crew.connections import OwnConnections, RemoteConnections, RemoteFlow
from sipengine.net.flows import Address, ConnectedFlow, Gate, NetFlow, OpenGate
from sipengine.net.load import Load
from sipengine.sip.flow import Flow
from tests.crew.pair import Pair
from tests.net.served import Served, read_exactly
from tests.support.free_ports import free_port
from tests.support.wait import until

OPTIONS = b"OPTIONS sip:a@pbx.test SIP/2.0\r\nContent-Length: 0\r\n\r\n"


class Listening:
    """A worker's `Receiver`: only what has failed matters here."""

    def __init__(self) -> None:
        self.load = Load(lambda level, share: None)
        self.gate: Gate = OpenGate()
        self.dirty: list[ConnectedFlow] = []
        self.finishing: list[ConnectedFlow] = []
        self.failed: list[Flow] = []
        self.bounced: Callable[[Address, Address], None] | None = None

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        raise AssertionError("nothing comes by itself")

    def drain(self, now: float) -> None:
        raise AssertionError("nobody asks for it")


class Halves:
    """An owner with real sockets and one worker."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.pair = Pair()
        self.own = OwnConnections(self.pair.owner, served.endpoint)
        self.worker = Listening()
        self.remote = RemoteConnections(self.pair.worker, ("127.0.0.1",))
        self.remote.attach(self.worker)
        self.told = 0
        self.pair.join()

    def phone(self) -> tuple[socket.socket, Flow]:
        """A connection that a phone made, and the owner's flow of it."""
        before = len(self.served.core.received)
        phone = socket.create_connection(("127.0.0.1", self.served.port), timeout=5)
        phone.sendall(OPTIONS)
        until(lambda: len(self.served.core.received) > before, "the phone's first message")
        return phone, self.served.core.received[-1][1]

    def numbered(self, flow: Flow) -> RemoteFlow:
        """The same, as the worker knows it."""
        number = self.served.call(partial(self.own.number_of, flow))
        assert number
        remote = self.remote.numbered(number, flow.transport, flow.local, flow.remote)
        assert isinstance(remote, RemoteFlow)
        return remote

    def send(self, flow: NetFlow, data: bytes) -> None:
        def told() -> None:
            flow.send(data)
            self.pair.work()
            self.served.endpoint.drain(0.0)

        self.served.call(told)

    def failures(self) -> list[Flow]:
        """What the owner's core was told, told on; the worker's flows that failed by now."""

        def tell() -> None:
            for flow in self.served.core.failed[self.told :]:
                self.own.gone(flow)
            self.told = len(self.served.core.failed)
            self.pair.work()

        self.served.call(tell)
        return self.worker.failed


@pytest.fixture
def halves() -> Iterator[Halves]:
    with Served() as served:
        served.core.silent = True
        yield Halves(served)


def test_what_a_worker_sends_goes_over_the_phones_connection(halves: Halves) -> None:
    phone, flow = halves.phone()
    with phone:
        halves.send(halves.numbered(flow), b"SIP/2.0 200 OK\r\n\r\n")
        assert read_exactly(phone, 18) == b"SIP/2.0 200 OK\r\n\r\n"


def test_one_connection_has_one_flow(halves: Halves) -> None:
    """Also when somebody asks for the way to the address that it comes from (Record-Route's note)."""
    phone, flow = halves.phone()
    with phone:
        remote = halves.numbered(flow)
        assert halves.numbered(flow) is remote
        assert halves.remote.flow("TCP", *flow.remote) is remote
        assert halves.remote.beside(*flow.remote) is remote
        assert not remote.beside


def test_a_websocket_is_not_found_by_its_address(halves: Halves) -> None:
    remote = halves.remote.numbered(7, "WS", ("127.0.0.1", 8088), ("192.0.2.7", 40000))
    assert halves.remote.flow("TCP", "192.0.2.7", 40000) is not remote


def test_a_worker_has_a_connection_made(halves: Halves) -> None:
    with socket.create_server(("127.0.0.1", 0)) as phone:
        phone.settimeout(5)
        flow = halves.remote.flow("TCP", *phone.getsockname())
        halves.send(flow, OPTIONS)
        connection, _ = phone.accept()
        with connection:
            connection.settimeout(5)
            assert read_exactly(connection, len(OPTIONS)) == OPTIONS
            halves.send(flow, OPTIONS)
            assert read_exactly(connection, len(OPTIONS)) == OPTIONS
            assert halves.remote.flow("TCP", *phone.getsockname()) is flow
        until(lambda: halves.failures() == [flow], "its end")
        assert not flow.open
        assert halves.remote.flow("TCP", *phone.getsockname()) is not flow


def test_a_connection_that_nobody_takes_fails_at_the_worker(halves: Halves) -> None:
    flow = halves.remote.beside("127.0.0.1", free_port())
    halves.send(flow, OPTIONS)
    until(lambda: halves.failures() == [flow], "the refusal")


def test_a_phone_that_goes_is_told_of_by_its_number(halves: Halves) -> None:
    phone, flow = halves.phone()
    remote = halves.numbered(flow)
    other, other_flow = halves.phone()
    with other:
        left = halves.numbered(other_flow)
        phone.close()
        until(lambda: halves.failures() == [remote], "its end")
        halves.send(remote, OPTIONS)  # a late one: said at once
        assert halves.worker.failed == [remote, remote]
        halves.send(left, OPTIONS)
        assert read_exactly(other, len(OPTIONS)) == OPTIONS


def test_a_number_that_is_no_more_is_told_so(halves: Halves) -> None:
    """The worker sent before it heard of the end."""
    remote = halves.remote.numbered(99, "TCP", ("127.0.0.1", 5060), ("192.0.2.7", 40000))
    assert isinstance(remote, RemoteFlow)
    halves.send(remote, OPTIONS)
    assert halves.worker.failed == [remote]


def test_the_next_connection_from_the_same_address_is_another(halves: Halves) -> None:
    first = halves.remote.numbered(7, "TCP", ("127.0.0.1", 5060), ("192.0.2.7", 40000))
    second = halves.remote.numbered(8, "TCP", ("127.0.0.1", 5060), ("192.0.2.7", 40000))
    assert first is not second
    assert halves.remote.flow("TCP", "192.0.2.7", 40000) is second


def test_a_worker_ends_a_hostile_stream(halves: Halves) -> None:
    phone, flow = halves.phone()
    with phone:
        remote = halves.numbered(flow)

        def end() -> None:
            halves.remote.finish(remote)
            halves.pair.work()
            halves.served.endpoint.drain(0.0)

        halves.served.call(end)
        assert phone.recv(1) == b""


def test_without_the_owner_every_connection_has_gone(halves: Halves) -> None:
    phone, flow = halves.phone()
    with phone:
        remote = halves.numbered(flow)
        asked = halves.remote.flow("TCP", "192.0.2.9", 5060)
        halves.pair.part()
        assert set(halves.worker.failed) == {remote, asked}
        late = halves.remote.flow("TCP", "192.0.2.9", 5060)
        late.send(OPTIONS)
        assert halves.worker.failed[-1] is late
        halves.pair.join()
        halves.send(halves.numbered(flow), OPTIONS)  # the connection itself still stands here
        assert read_exactly(phone, len(OPTIONS)) == OPTIONS
