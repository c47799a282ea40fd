"""One request, and the servers of its next hop one after another (RFC 3263 §4.3).

A server that answers 503, is silent or cannot be reached makes way for the next one, which gets
the same request with a branch of its own. Whoever wants the request sent hears of the last
server only.
"""

from __future__ import annotations

from typing import Final, Protocol

from sipengine.services.ports import Flows
from sipengine.services.proxy.resting import REST_S, Resting, seconds_of
from sipengine.services.responsibility import Responsibility
from sipengine.sip.flow import Flow
from sipengine.sip.next_hop import Located, NextHop, Server
from sipengine.sip.parser import parse
from sipengine.sip.timers import T1, TIMER_B
from sipengine.sip.transaction.invite_client import ClientUser

PATIENCE: Final = 16 * T1
"""How long a server may be silent while there is another one: five copies of the request over UDP.

Deviation: RFC 3263 §4.3 waits for Timer B or F, 32 s. The caller's own transaction is no longer
than that, so that no second server would ever be asked in time.
"""


class Sender(Protocol):
    """Makes the copies of the request. Also its user: hears of the server that counts."""

    def send_to(self, flow: Flow, user: ClientUser, patience: float, now: float) -> None:
        """Send by `flow`, with a branch of its own; answers go to `user`, silence after `patience`."""
        ...

    def go_straight(self, now: float) -> bool:
        """The next hop is this server itself: go on without it. False where there is no other way."""
        ...

    def on_response(self, status: int, data: bytes, now: float) -> None: ...

    def on_timeout(self, now: float) -> None: ...

    def on_transport_error(self, now: float) -> None: ...


class Attempts:
    """The servers of one next hop, tried for one request. `why` is a clause once all have failed."""

    __slots__ = ("_flows", "_hop", "_responsibility", "_resting", "_sender", "_server", "_servers", "_tried", "_wanted", "why")  # fmt: skip

    def __init__(
        self, flows: Flows, resting: Resting, responsibility: Responsibility, hop: NextHop, sender: Sender
    ) -> None:  # fmt: skip
        self._responsibility = responsibility
        self._flows = flows
        self._resting = resting
        self._hop = hop
        self._sender = sender
        self._servers: list[Server] = []
        self._server: Server | None = None
        self._tried = 0
        self._wanted = True
        self.why = ""

    def start(self, seed: str) -> None:
        """Find the servers and send to the first. Same `seed` (a Call-ID), same choice of servers."""
        self._flows.locate(self._hop, seed, self)

    def stop(self) -> None:
        """Try no further server; what the present one says still counts."""
        self._wanted = False

    def on_located(self, located: Located, now: float) -> None:
        if not self._wanted:
            return
        own = self._responsibility
        if any(own.domain_of(server.host, server.port) for server in located.servers):
            self._wanted = False
            if self._sender.go_straight(now):
                return
            self._wanted = True
        self._servers = self._resting.last(located.servers, now)
        if not self._next(now):
            self.why = located.why
            self._sender.on_transport_error(now)

    def _next(self, now: float) -> bool:
        """Send to the next server; False if there is none."""
        if not self._wanted or not self._servers:
            return False
        self._server = server = self._servers.pop(0)
        self._tried += 1
        flow = self._flows.flow_at(server)
        patience = PATIENCE if self._servers else TIMER_B
        self._sender.send_to(flow, self, patience, now)
        return True

    # -- the user of the client transactions

    def on_response(self, status: int, data: bytes, now: float) -> None:
        if self._server is not None:
            if status == 503:
                asked = parse(data).value("Retry-After")
                self._resting.put(self._server, seconds_of(asked) if asked else REST_S, now)
                if self._next(now):
                    return
                self.why = self._all("took the call", "did not take the call")
            else:
                self._resting.wake(self._server)
        self._sender.on_response(status, data, now)

    def on_timeout(self, now: float) -> None:
        if not self._failed(now):
            self._sender.on_timeout(now)

    def on_transport_error(self, now: float) -> None:
        if not self._failed(now):
            self._sender.on_transport_error(now)

    def _failed(self, now: float) -> bool:
        """Whether another server takes over from one that did not answer."""
        if self._server is not None:
            self._resting.put(self._server, REST_S, now)
        if self._next(now):
            return True
        self.why = self._all("answered", "did not answer")
        return False

    def _all(self, any_did: str, one_did_not: str) -> str:
        if self._tried > 1:
            return f"none of the {self._tried} servers of {self._hop.host} {any_did}"
        return f"the server of {self._hop.host} {one_did_not}"


class Single:
    """A request that no answer is waited for (an ACK of a 2xx): sent once its server is known."""

    __slots__ = ("_flows", "_resting", "_sender")

    def __init__(self, flows: Flows, resting: Resting, sender: SingleSender) -> None:
        self._flows = flows
        self._resting = resting
        self._sender = sender

    def start(self, hop: NextHop, seed: str) -> None:
        self._flows.locate(hop, seed, self)

    def on_located(self, located: Located, now: float) -> None:
        if located.servers:
            server = self._resting.last(located.servers, now)[0]
            self._sender.send_once(self._flows.flow_at(server))


class SingleSender(Protocol):
    def send_once(self, flow: Flow) -> None: ...
