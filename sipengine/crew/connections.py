"""Connections are the owner's; a worker sends by way of it, and is told what comes and what has closed.

A connection has a number as soon as a worker hears of it. What a worker wants to begin it names by its
address, as the services do.
"""

from __future__ import annotations

from itertools import count
from typing import Final
from weakref import WeakKeyDictionary

from sipengine.crew.frames import Close, ConnectionGone, Send
from sipengine.crew.handlers import OwnerEnd, WorkerEnd
from sipengine.net.endpoint import Endpoint
from sipengine.net.flows import Address, NetFlow, Receiver
from sipengine.net.tcp import TcpFlow
from sipengine.sip.flow import Flow

PRUNED_AT: Final = 65_536
"""Ways that a worker has asked for; those that nobody uses go then. Of one connection each, or of one
address that it once sent to."""


class OwnConnections:
    """The owner's side: numbers its connections, and sends over them what workers want sent."""

    def __init__(self, hub: OwnerEnd, endpoint: Endpoint) -> None:
        self._hub = hub
        self._endpoint = endpoint
        self._numbers: WeakKeyDictionary[Flow, int] = WeakKeyDictionary()
        self._by_number: dict[int, TcpFlow] = {}
        self._count = count(1)
        hub.on(Send, self._send)
        hub.on(Close, self._close)

    def number_of(self, flow: Flow | None) -> int:
        """The number by which workers know it; 0 if it is no connection, or closed."""
        if not isinstance(flow, TcpFlow) or not flow.open:
            return 0
        number = self._numbers.get(flow)
        if number is None:
            number = self._numbers[flow] = next(self._count)
            self._by_number[number] = flow
        return number

    def gone(self, flow: Flow) -> None:
        """A connection has closed, or could not be made: tell who may wait for it."""
        if isinstance(flow, TcpFlow):
            number = self._numbers.pop(flow, 0)
            self._by_number.pop(number, None)
            host, port = flow.asked
            self._hub.tell_all(ConnectionGone(number, flow.transport, host, port, flow.address))

    def _send(self, worker: int, frame: Send) -> None:
        flow: NetFlow | None
        if frame.connection:
            flow = self._by_number.get(frame.connection)
            if flow is None:
                gone = ConnectionGone(frame.connection, frame.transport, frame.host, frame.port, "")
                self._hub.tell(worker, gone)
                return
        elif frame.beside:
            flow = self._endpoint.connections.beside(frame.host, frame.port)
        else:
            flow = self._endpoint.connections.flow(
                frame.transport, frame.host, frame.port, frame.address
            )
        flow.send(frame.data)

    def _close(self, _worker: int, frame: Close) -> None:
        flow = self._by_number.get(frame.connection)
        if flow is not None:
            flow.finish_later()


class RemoteFlow(NetFlow):
    """A connection of the owner's: number `connection`, or whichever goes to `asked`."""

    __slots__ = ("asked", "beside", "connection", "ways")

    def __init__(
        self,
        ways: RemoteConnections,
        transport: str,
        local: Address,
        remote: Address,
        connection: int = 0,
        asked: tuple[str, int, str] = ("", 0, ""),
    ) -> None:
        super().__init__(transport, local, remote)
        self.ways = ways
        self.connection = connection
        self.asked = asked  # host, port, numeric address if that is known
        self.beside = False

    def send(self, data: bytes) -> None:
        self.ways.send(self, data)


_Asked = tuple[str, str, int, str]
"""Transport, host, port, address."""


class RemoteConnections:
    """A worker's `net.flows.Ways`."""

    def __init__(self, member: WorkerEnd, hosts: tuple[str, ...]) -> None:
        """`hosts` are the addresses listened on."""
        self._member = member
        self._hosts = hosts
        self._numbered: dict[int, RemoteFlow] = {}
        self._to: dict[_Asked, RemoteFlow] = {}
        self._receiver: Receiver | None = None
        self._joined = False
        member.on(ConnectionGone, self._gone)
        member.on_join(self._there)
        member.on_leave(self._all_gone)

    def attach(self, receiver: Receiver) -> None:
        """Tell this one of flows that failed; its drain tells the core. Once, before the first message."""
        self._receiver = receiver

    # ------------------------------------------------------------------ connections that are there

    def numbered(self, connection: int, transport: str, local: Address, remote: Address) -> Flow:
        """The flow of the owner's connection with that number."""
        flow = self._numbered.get(connection)
        if flow is None:
            flow = RemoteFlow(self, transport, local, remote, connection)
            self._numbered[connection] = flow
            if flow.stream:  # a WebSocket's client is reached by his connection alone
                self._to[(transport, *remote, "")] = flow
        return flow

    def send(self, flow: RemoteFlow, data: bytes) -> None:
        if not self._joined or not flow.open:
            self._fail(flow)
            return
        host, port, address = flow.asked
        self._member.tell(
            Send(flow.connection, flow.transport, host, port, address, flow.beside, data)
        )

    # ------------------------------------------------------------------ net.flows.Ways

    def open(self, transport: str, port: int) -> None:
        """Nothing is listened for: the owner does."""

    def serve(self) -> None:
        """The owner accepts."""

    def pause(self) -> None:
        """The owner does."""

    def close(self) -> None:
        self._numbered.clear()
        self._to.clear()

    def flow(self, transport: str, host: str, port: int, address: str = "") -> RemoteFlow:
        key = (transport, host, port, address)
        flow = self._to.get(key)
        if flow is None or not flow.open:
            self._prune()
            local = (self._hosts[0], 0)
            flow = RemoteFlow(self, transport, local, (host, port), 0, (host, port, address))
            self._to[key] = flow
        return flow

    def beside(self, host: str, port: int) -> RemoteFlow:
        flow = self.flow("TCP", host, port)
        flow.beside = not flow.connection
        return flow

    def finish(self, flow: Flow) -> None:
        if isinstance(flow, RemoteFlow) and flow.connection:
            self._member.tell(Close(flow.connection))

    def sweep(self, now: float) -> None:
        """The owner has patience with them."""

    def counters(self) -> dict[str, int]:
        return {}

    # ------------------------------------------------------------------ what has gone

    def _prune(self) -> None:
        if len(self._to) < PRUNED_AT:
            return
        for key, flow in list(self._to.items()):
            if not flow.clients and not flow.connection:
                del self._to[key]

    def _gone(self, frame: ConnectionGone) -> None:
        """Both ways by which it was known here end; the next flow to that address is another."""
        flows = {self._numbered.pop(frame.connection, None)}
        asked = (frame.transport, frame.host, frame.port, frame.address)
        known = self._to.get(asked)
        if known is not None and known.connection in (0, frame.connection):
            flows.add(known)
        for flow in flows:
            if flow is not None:
                self._forget(flow)
                self._fail(flow)

    def _forget(self, flow: RemoteFlow) -> None:
        host, port, address = flow.asked
        for key in ((flow.transport, *flow.remote, ""), (flow.transport, host, port, address)):
            if self._to.get(key) is flow:
                del self._to[key]

    def _fail(self, flow: RemoteFlow) -> None:
        flow.open = False
        if self._receiver is not None:
            self._receiver.failed.append(flow)

    def _there(self) -> None:
        self._joined = True

    def _all_gone(self) -> None:
        """The owner has ended, and with it every connection."""
        self._joined = False
        flows = {*self._numbered.values(), *self._to.values()}
        self._numbered.clear()
        self._to.clear()
        for flow in flows:
            self._fail(flow)
