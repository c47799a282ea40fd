"""An endpoint with a stand-in core on a loop in a thread of its own, for tests with real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from sipengine.net.certificates import Certificates
from sipengine.net.connections import Connections
from sipengine.net.endpoint import Endpoint
from sipengine.net.facts import FactsBeat, JournalPort
from sipengine.net.flows import Address
from sipengine.net.limits import Limits
from sipengine.net.tcp import TcpFlow
from sipengine.net.ws_admission import WsAdmission
from tests.net.stand_in_core import StandInCore
from tests.support.free_ports import free_port

T = TypeVar("T")
DEADLINE = 5.0


class MemoryJournal:
    """Keeps what is written; `fault` is raised instead, `gate` holds a write up."""

    def __init__(self) -> None:
        self.writes: list[list[bytes]] = []
        self.synced_writes = self.syncs = 0
        self.fault: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def write(self, lines: list[bytes], sync: bool) -> None:
        assert self.gate.wait(DEADLINE)
        if self.fault is not None:
            raise self.fault
        self.writes.append(lines)
        self.synced_writes += sync

    def sync(self) -> None:
        assert self.gate.wait(DEADLINE)
        self.syncs += 1


class Served:
    """`with Served() as served:` has an endpoint on `served.port` of 127.0.0.1 (or of `bind`)."""

    def __init__(
        self,
        bind: str = "127.0.0.1",
        *,
        certificates: Certificates | None = None,
        admission: WsAdmission | None = None,
        limits: Limits | None = None,
        journal: JournalPort | None = None,
        core: StandInCore | None = None,
        sockets: Mapping[str, int] | None = None,
        port: int = 0,
        before: Callable[[], None] | None = None,
        bounced: Callable[[Address, Address], None] | None = None,
    ) -> None:
        """`sockets` are bound already, to `port`: the endpoint gets a second descriptor of each."""
        self.core = core or StandInCore()
        self.journal = journal or MemoryJournal()
        self.notes: list[str] = []
        self.refusals: list[str] = []
        self.written = 0
        self.defects: list[str] = []
        self._binds = tuple(bind.split(","))
        self._certificates = certificates
        self._admission = admission
        self._sockets = {host: os.dup(number) for host, number in (sockets or {}).items()}
        self._before, self._bounced = before, bounced
        self.port = port
        self._limits = limits or Limits()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._ready.wait(DEADLINE)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.facts.finish(), self.loop).result(DEADLINE)
        self.call(self.endpoint.shut)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DEADLINE)
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(lambda _, context: self.defects.append(str(context)))
        self.endpoint = Endpoint(
            self.loop,
            self._binds,
            self._limits,
            self._note,
            certificates=self._certificates,
            admission=self._admission,
            sockets=self._sockets,
        )
        self.endpoint.before_reading, self.endpoint.bounced = self._before, self._bounced
        self.port = self.port or free_port()
        self.endpoint.open("UDP", self.port)
        self.endpoint.open("TCP", free_port() if self._sockets else self.port)
        if self._certificates is not None:
            self.tls_port = free_port()
            self.endpoint.open("TLS", self.tls_port)
        if self._admission is not None:
            self.ws_port = free_port()
            self.endpoint.open("WS", self.ws_port)
        self.facts = FactsBeat(
            self.loop, self.endpoint, self.journal, self._count_write, self.refusals.append
        )
        self.endpoint.attach(self.core, self.facts)
        self.endpoint.serve()
        self.loop.call_soon(self._ready.set)
        self.loop.run_forever()

    @property
    def connections(self) -> Connections:
        """The endpoint's own."""
        assert isinstance(self.endpoint.connections, Connections)
        return self.endpoint.connections

    def _note(self, why: str, flow: TcpFlow) -> None:
        self.notes.append(why)

    def _count_write(self) -> None:
        self.written += 1

    def call(self, function: Callable[[], T]) -> T:
        """Run `function` on the loop's thread and give its result."""

        async def on_loop() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(on_loop(), self.loop).result(DEADLINE)

    def counter(self, name: str) -> int:
        return self.call(self.endpoint.counters)[name]

    def udp(self, host: str = "127.0.0.1") -> socket.socket:
        """A UDP socket that sends to the endpoint."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        phone = socket.socket(family, socket.SOCK_DGRAM)
        phone.settimeout(DEADLINE)
        phone.connect((host, self.port))
        return phone

    def tcp(self, host: str = "127.0.0.1") -> socket.socket:
        """A connection to the endpoint."""
        return socket.create_connection((host, self.port), timeout=DEADLINE)


def read_exactly(sock: socket.socket, size: int) -> bytes:
    """Read `size` bytes from a stream, fewer only if it ends."""
    data = b""
    while len(data) < size and (piece := sock.recv(size - len(data))):
        data += piece
    return data


def is_closed(sock: socket.socket) -> bool:
    """Wait until the peer closes the connection; anything it still sends is read away."""
    try:
        while sock.recv(65_536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True
