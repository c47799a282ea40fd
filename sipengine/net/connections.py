"""All connections, whatever goes over them: the limits, the patience, and finding one by its address.

What a stranger can hold is bounded: connections in all and from one address, seconds for a
handshake, a first message and a half-sent one, bytes that wait for readers. Every limit is counted
when it bites.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from sipengine.net.certificates import Certificates
from sipengine.net.flows import Receiver
from sipengine.net.handshakes import Handshakes
from sipengine.net.hosts_file import family_of
from sipengine.net.limits import Limits
from sipengine.net.listeners import Listeners
from sipengine.net.resolver import Resolver
from sipengine.net.tcp import CLOSED, FINISHING, NEW, OPEN, OPENING, TcpFlow
from sipengine.net.tls import TlsFlow
from sipengine.net.ws import WsFlow
from sipengine.net.ws_admission import WsAdmission
from sipengine.net.ws_keepalive import KeepAlives
from sipengine.sip.flow import Flow

STREAM_S: Final = 1.0
"""For a phone on UDP to accept a connection; on one network it takes milliseconds, or is refused."""

UNSENT_ALL: Final = 64 * 1024 * 1024
"""Bytes that wait for all slow readers together."""

Remote = tuple[str, str, int]
"""Transport, host, port."""


class Connections:
    """The connection-oriented side of the endpoint: TCP, TLS and WebSocket."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        receiver: Receiver,
        resolver: Resolver,
        hosts: tuple[str, ...],
        limits: Limits,
        note: Callable[[str, TcpFlow], None],
        certificates: Certificates | None = None,
        admission: WsAdmission | None = None,
    ) -> None:
        """`hosts` are the addresses to listen on; `note(why, flow)` hears of every misbehaviour.

        Without `certificates` there is no TLS, without `admission` no WebSocket.
        """
        self.loop = loop
        self.receiver = receiver
        self.limits = limits
        self.certificates = certificates
        self.admission = admission
        self.handshakes = Handshakes(loop)
        self.keep_alives = KeepAlives(limits.ping_s)
        self._resolver = resolver
        self._hosts = hosts
        self._note = note
        self.listeners = Listeners(loop, self._accepted)
        self._by_remote: dict[Remote, TcpFlow] = {}
        self._by_source: dict[str, int] = {}
        self._all: set[TcpFlow] = set()
        self.opening: dict[TcpFlow, None] = {}
        """Not open yet, or about to close."""
        # The oldest first, so that the sweep looks at the overdue ones only.
        self._unproven: dict[TcpFlow, None] = {}
        self.partial: dict[TcpFlow, float] = {}
        """Connections with a half-sent message -> when that began."""
        self._next_idle_look = 0.0
        self.unsent_bytes = self.unsent_messages = 0
        self.received = self.pings = self.accepted = self.connects = self.connect_failures = 0
        self.refused_total = self.refused_source = self.refused_shut = 0
        self.timed_out = self.slow_readers = self.faults = self.handshake_failures = 0

    # ------------------------------------------------------------------ listening

    def open(self, transport: str, port: int) -> None:
        """Bind and listen on all addresses. Raises OSError (port taken, no such address)."""
        for host in self._hosts:
            self.listeners.open(transport, host, port)

    def serve(self) -> None:
        self.listeners.serve()

    def pause(self) -> None:
        self.listeners.pause()

    def close(self) -> None:
        self.listeners.close()
        for flow in list(self._all):
            flow.lose()

    def _accepted(self, sock: socket.socket, transport: str, remote: tuple[str, int]) -> None:
        source = remote[0]
        if self.is_shut_out(source):
            self.refused_shut += 1
            sock.close()
            return
        if len(self._all) >= self.limits.total:
            self.refused_total += 1
            sock.close()
            return
        if self._has_too_many(source):
            self.refused_source += 1
            sock.close()
            return
        self.accepted += 1
        flow = self._make(transport, ("", 0), remote)
        flow.source = source
        self._by_source[source] = self._by_source.get(source, 0) + 1
        self._all.add(flow)
        self._unproven[flow] = None
        flow.accepted(sock)

    def is_shut_out(self, source: str) -> bool:
        """Whether nothing is taken from that address at present."""
        gate = self.receiver.gate
        return bool(gate.shut) and gate.blocks(source, monotonic())

    def _has_too_many(self, source: str) -> bool:
        most = self.limits.per_source
        return bool(most) and self._by_source.get(source, 0) >= most

    def _make(self, transport: str, local: tuple[str, int], remote: tuple[str, int]) -> TcpFlow:
        if transport == "TLS" and self.certificates is not None:
            return TlsFlow(self, local, remote, self.certificates)
        if transport == "WS" and self.admission is not None:
            return WsFlow(self, local, remote, self.admission)
        return TcpFlow(self, local, remote)

    def move_source(self, flow: TcpFlow, source: str) -> bool:
        """Count a relayed connection for the address it truly comes from; False if that has too many,
        or is shut out."""
        if self.is_shut_out(source):
            self.refused_shut += 1
            return False
        if self._has_too_many(source):
            self.refused_source += 1
            return False
        self._leave_source(flow)
        flow.source = source
        self._by_source[source] = self._by_source.get(source, 0) + 1
        return True

    def _leave_source(self, flow: TcpFlow) -> None:
        left = self._by_source[flow.source] - 1
        if left:
            self._by_source[flow.source] = left
        else:
            del self._by_source[flow.source]

    # ------------------------------------------------------------------ finding and making

    def flow(self, transport: str, host: str, port: int, address: str = "") -> TcpFlow:
        """As `net.flows.Ways.flow`."""
        key = (transport, f"{host} {address}" if address else host, port)  # as `_asked_key`
        flow = self._by_remote.get(key)
        if flow is None or flow.state in (FINISHING, CLOSED):
            flow = self._make(transport, (self._hosts[0], 0), (host, port))
            flow.address = address
            self._by_remote[key] = flow
            self.opening[flow] = None
        return flow

    def beside(self, host: str, port: int) -> TcpFlow:
        """As `net.flows.Ways.beside`."""
        flow = self.flow("TCP", host, port)
        if flow.state == NEW:
            flow.patience = STREAM_S
        return flow

    def finish(self, flow: Flow) -> None:
        """Close a connection once everything is sent; nothing for other flows."""
        if isinstance(flow, TcpFlow):
            flow.finish_later()

    def begin(self, flow: TcpFlow) -> None:
        """Make the connection of a new flow, its name looked up first."""
        if len(self._all) >= self.limits.total:
            self.refused_total += 1
            flow.lose()
            return
        self.connects += 1
        flow.state = OPENING
        flow.since = monotonic()
        self._all.add(flow)
        self.opening[flow] = None
        host, port = flow.asked
        self._by_remote[_asked_key(flow)] = flow
        address = flow.address or host
        if family_of(address):
            self._connect(flow, address, port)
        else:
            self._resolver.lookup(host, lambda address: self._resolved(flow, address, port))

    def _resolved(self, flow: TcpFlow, address: str, port: int) -> None:
        if flow.state != OPENING:  # it took too long
            return
        if address:
            self._connect(flow, address, port)
        else:
            flow.lose()
        self.receiver.drain(monotonic())

    def _connect(self, flow: TcpFlow, address: str, port: int) -> None:
        family = family_of(address)
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError:  # out of file descriptors, or no IPv6 here
            flow.lose()
            return
        try:
            own = [host for host in self._hosts if family_of(host) == family]
            if len(own) == 1 and own[0] not in ("0.0.0.0", "::"):  # noqa: S104
                sock.bind((own[0], 0))  # of several addresses the route decides
            flow.connect(sock, (address, port))
        except OSError:  # no such route, a port that nobody may use
            sock.close()
            flow.lose()

    # ------------------------------------------------------------------ what flows report

    def opened(self, flow: TcpFlow) -> None:
        self.opening.pop(flow, None)
        if flow.stream:  # a WebSocket's client is reached by his connection alone
            self._by_remote[(flow.transport, *flow.remote)] = flow

    def closed(self, flow: TcpFlow) -> None:
        self._all.discard(flow)
        self.opening.pop(flow, None)
        self._unproven.pop(flow, None)
        self.partial.pop(flow, None)
        for key in ((flow.transport, *flow.remote), _asked_key(flow)):
            if self._by_remote.get(key) is flow:
                del self._by_remote[key]
        if flow.source:
            self._leave_source(flow)

    def prove(self, flow: TcpFlow) -> None:
        """A first whole message has come."""
        flow.proven = True
        self._unproven.pop(flow, None)

    def note_partial(self, flow: TcpFlow, now: float, *, waiting: bool, fresh: bool) -> None:
        """Keep the moment when the message that is half here began."""
        if fresh or not waiting:
            self.partial.pop(flow, None)
        if waiting:
            self.partial.setdefault(flow, now)

    def note_fault(self, flow: TcpFlow, fault: str) -> None:
        self.faults += 1
        self.receiver.gate.bad_stream(flow.remote[0], monotonic())
        self._note(fault, flow)

    @property
    def unsent_too_much(self) -> bool:
        return self.unsent_bytes > UNSENT_ALL

    def note_slow(self, flow: TcpFlow) -> None:
        self.slow_readers += 1
        self._note("does not read", flow)

    def note_slow_handshake(self, flow: TcpFlow) -> None:
        if flow.source:  # a peer's, not ours
            self.timed_out += 1
            self._report(flow, monotonic())
            self._note("handshake too slow", flow)

    def note_handshake(self, flow: TcpFlow, why: str) -> None:
        """A TLS handshake or a WebSocket's opening request failed."""
        self.handshake_failures += 1
        self._report(flow, monotonic())
        self._note(why, flow)

    # ------------------------------------------------------------------ patience

    def sweep(self, now: float) -> None:
        """Close what has had its time. Once a second; the caller drains afterwards."""
        limits = self.limits
        for flow in list(self.opening):
            if flow.state == NEW:
                if now - flow.since > flow.patience:  # asked for, never sent by
                    del self.opening[flow]
                    key = _asked_key(flow)
                    if self._by_remote.get(key) is flow:
                        del self._by_remote[key]
            elif flow.state == OPENING:
                if now - flow.since > flow.patience:
                    self.note_slow_handshake(flow)
                    flow.lose()
            elif now - flow.since > limits.finish_s:
                flow.lose()
        self._end_overdue(self._unproven, lambda flow: flow.since + limits.first_message_s, now)
        self._end_overdue(
            self.partial, lambda flow: self.partial[flow] + limits.rest_of_message_s, now
        )
        self.keep_alives.look(now)
        if now >= self._next_idle_look:
            self._next_idle_look = now + limits.idle_s / 100
            for flow in [f for f in self._all if f.state == OPEN]:
                if now - flow.active_at > limits.idle_s:
                    self.timed_out += 1
                    flow.lose()

    def _end_overdue(
        self, waiting: Mapping[TcpFlow, object], due: Callable[[TcpFlow], float], now: float
    ) -> None:
        overdue = []
        for flow in waiting:  # oldest first
            if due(flow) > now:
                break
            overdue.append(flow)
        for flow in overdue:
            self.timed_out += 1
            self._report(flow, now)
            self._note("too slow", flow)
            flow.lose()

    def _report(self, flow: TcpFlow, now: float) -> None:
        """Tell the guard of a peer whose connection never came to a whole message."""
        if flow.source:
            self.receiver.gate.bad_stream(flow.remote[0], now)

    def counters(self) -> dict[str, int]:
        return {
            "tcp_connections": len(self._all),
            "tcp_accepted": self.accepted,
            "tcp_connects": self.connects,
            "tcp_connect_failures": self.connect_failures,
            "tcp_messages_received": self.received,
            "tcp_pings": self.pings,
            "tcp_refused_total_limit": self.refused_total,
            "tcp_refused_source_limit": self.refused_source,
            "tcp_refused_banned": self.refused_shut,
            "tcp_accept_errors": self.listeners.errors,
            "tcp_handshake_failures": self.handshake_failures,
            "tcp_timed_out": self.timed_out,
            "tcp_slow_readers": self.slow_readers,
            "tcp_broken_streams": self.faults,
            "tcp_unsent_bytes": self.unsent_bytes,
            "tcp_unsent_messages": self.unsent_messages,
        }


def _asked_key(flow: TcpFlow) -> Remote:
    """What a connection of ours was asked for: of one name's several servers each is another."""
    host, port = flow.asked
    return flow.transport, f"{host} {flow.address}" if flow.address else host, port
