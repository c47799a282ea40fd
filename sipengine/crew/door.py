"""Where messages come in, in an engine of several processes: what is another's goes on to that one.

The kernel steers most datagrams right (`sipengine.steering`). What it did not find out, and all that
comes over the owner's connections, is handed over here; the owner knows the way to every worker.
"""

from __future__ import annotations

from time import monotonic

from sipengine.crew.connections import OwnConnections, RemoteConnections
from sipengine.crew.frames import Bounced, Contact, Passed
from sipengine.crew.handlers import WorkerEnd
from sipengine.crew.hub import Hub
from sipengine.net.endpoint import Endpoint
from sipengine.net.flows import Address
from sipengine.services.core import Core
from sipengine.services.share import Share
from sipengine.sip.flow import Flow
from sipengine.sip.uri import split_address


class OwnerDoor:
    """The owner's: `net.endpoint.Door`."""

    def __init__(
        self, hub: Hub, share: Share, core: Core, endpoint: Endpoint, connections: OwnConnections
    ) -> None:
        self._hub = hub
        self._of = share.of
        self._core = core
        self._endpoint = endpoint
        self._connections = connections
        self.handed_over = 0
        hub.on(Passed, self._passed)
        hub.on(Bounced, self._bounced)

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        number = self._of(data)
        if not number:
            self._core.receive(data, flow, now)
            return
        self.handed_over += 1
        connection = self._connections.number_of(flow)
        self._hub.tell(number, Passed(connection, flow.transport, flow.local, flow.remote, data))

    def flow_failed(self, flow: Flow, now: float) -> None:
        self._connections.gone(flow)
        self._core.flow_failed(flow, now)

    def bounced(self, local: Address, remote: Address) -> None:
        """A datagram came back here that nobody here waits for the answer of."""
        self._hub.tell_all(Bounced(local, remote))

    def _passed(self, _worker: int, frame: Passed) -> None:
        number = self._of(frame.data)
        if number:
            self._hub.tell(number, frame)
        else:
            flow = self._endpoint.datagrams(frame.local, frame.remote)
            self._core.receive(frame.data, flow, monotonic())

    def _bounced(self, worker: int, frame: Bounced) -> None:
        for other in self._hub.present - {worker}:
            self._hub.tell(other, frame)
        self._core.flow_failed(self._endpoint.datagrams(frame.local, frame.remote), monotonic())

    def counters(self) -> dict[str, int]:
        return {"crew_messages_handed_over": self.handed_over}


class WorkerDoor:
    """A worker's: `net.endpoint.Door`."""

    def __init__(
        self,
        member: WorkerEnd,
        share: Share,
        core: Core,
        endpoint: Endpoint,
        connections: RemoteConnections,
    ) -> None:
        self._member = member
        self._of = share.of
        self._mine = share.number
        self._core = core
        self._endpoint = endpoint
        self._connections = connections
        self.handed_over = 0
        member.on(Passed, self._passed)
        member.on(Bounced, self._bounced)

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        if self._of(data) == self._mine:
            self._core.receive(data, flow, now)
            return
        self.handed_over += 1
        self._member.tell(Passed(0, flow.transport, flow.local, flow.remote, data))

    def flow_failed(self, flow: Flow, now: float) -> None:
        self._core.flow_failed(flow, now)

    def bounced(self, local: Address, remote: Address) -> None:
        """A datagram came back here that nobody here waits for the answer of."""
        self._member.tell(Bounced(local, remote))

    def flow_of(self, contact: Contact) -> Flow | None:
        """The way that a binding's REGISTER came to the owner."""
        record = contact.record
        local, remote = split_address(record.local), split_address(record.received)
        if record.transport == "UDP":
            return self._endpoint.datagrams(local, remote)
        if contact.connection:
            return self._connections.numbered(contact.connection, record.transport, local, remote)
        return None

    def _passed(self, frame: Passed) -> None:
        flow: Flow
        if frame.connection:
            flow = self._connections.numbered(
                frame.connection, frame.transport, frame.local, frame.remote
            )
        else:
            flow = self._endpoint.datagrams(frame.local, frame.remote)
        self._core.receive(frame.data, flow, monotonic())

    def _bounced(self, frame: Bounced) -> None:
        self._core.flow_failed(self._endpoint.datagrams(frame.local, frame.remote), monotonic())

    def counters(self) -> dict[str, int]:
        return {"crew_messages_handed_over": self.handed_over}
