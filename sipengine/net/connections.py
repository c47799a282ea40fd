"""All TCP connections: the listeners, the limits, the patience, and finding one by its address.

What a stranger can hold is bounded: connections in all and from one address, seconds for a first
message and for a half-sent one, bytes that wait for readers. Every limit is counted when it bites.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

from sipengine.net.flows import Address, Receiver
from sipengine.net.resolver import Resolver, family_of
from sipengine.net.tcp import CLOSED, FINISHING, NEW, OPEN, OPENING, TcpFlow

UNSENT_ALL: Final = 64 * 1024 * 1024
"""Bytes that wait for all slow readers together."""

BACKLOG: Final = 1024
"""Phones that connect at the same moment, as after a power cut; the kernel caps it (somaxconn)."""

ACCEPTS: Final = 64
"""Connections accepted a wake-up, at some 30 µs each."""

ACCEPT_PAUSE_S: Final = 1.0
"""How long to accept nothing when the process is out of file descriptors."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What connections may cost, and for how long. Tests choose smaller ones."""

    total: int = 20_000
    """At some 2 kB of ours and 5 kB of the kernel's for an idle one: 140 MB."""
    per_source: int = 1_000
    """A large office behind one address. 0: no limit (PBX_GUARD=off)."""
    first_message_s: float = 32.0
    """Until the first whole message: 64*T1, what a transaction waits."""
    rest_of_message_s: float = 10.0
    """From the first byte of a message to its last: a slow loris holds its place this long."""
    idle_s: float = 7_500.0
    """Without a byte: beyond the longest registration (7,200 s), whose connection must be there
    when a call comes. Peers that died are found by TCP keep-alive long before."""
    connect_s: float = 5.0
    """For name and handshake: the caller hears nothing meanwhile."""
    finish_s: float = 5.0
    """For a peer to read the last answer before its connection is closed."""


class Connections:
    """The TCP side of the endpoint."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        receiver: Receiver,
        resolver: Resolver,
        hosts: tuple[str, ...],
        limits: Limits,
        note: Callable[[str, TcpFlow], None],
    ) -> None:
        """`hosts` are the addresses to listen on; `note(why, flow)` hears of every misbehaviour."""
        self.loop = loop
        self.receiver = receiver
        self.limits = limits
        self._resolver = resolver
        self._hosts = hosts
        self._note = note
        self._listeners: list[socket.socket] = []
        self._by_remote: dict[Address, TcpFlow] = {}
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
        self.refused_total = self.refused_source = self.refused_shut = self.accept_errors = 0
        self.timed_out = self.slow_readers = self.faults = 0

    # ------------------------------------------------------------------ listening

    def open(self, port: int) -> None:
        """Bind and listen. Raises OSError (port taken, no such address)."""
        for host in self._hosts:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM)
            self._listeners.append(listener)
            listener.setblocking(False)
            # On a listening TCP socket this only skips the wait for old connections' last
            # packets (TIME_WAIT) after a restart; a second listener is still refused.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((host, port))
            listener.listen(BACKLOG)

    def serve(self) -> None:
        for listener in self._listeners:
            self.loop.add_reader(listener.fileno(), self._acceptable, listener)

    def pause(self) -> None:
        """Accept no more; what is open stays."""
        for listener in self._listeners:
            self.loop.remove_reader(listener.fileno())

    def close(self) -> None:
        for listener in self._listeners:
            if listener.fileno() >= 0:
                self.loop.remove_reader(listener.fileno())
                listener.close()
        for flow in list(self._all):
            flow.lose()

    def _acceptable(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self.accept_errors += 1
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    # The connection stays in the backlog and would wake us for ever.
                    self.loop.remove_reader(listener.fileno())
                    self.loop.call_later(ACCEPT_PAUSE_S, self._accept_again, listener)
                    return
                continue  # that peer gave up already
            source = address[0]
            gate = self.receiver.gate
            if gate.shut and gate.blocks(source, monotonic()):
                self.refused_shut += 1
                sock.close()
                continue
            held = self._by_source.get(source, 0)
            if len(self._all) >= self.limits.total:
                self.refused_total += 1
                sock.close()
                continue
            if self.limits.per_source and held >= self.limits.per_source:
                self.refused_source += 1
                sock.close()
                continue
            self.accepted += 1
            flow = TcpFlow(self, listener.getsockname()[:2], (source, address[1]))
            flow.source = source
            self._by_source[source] = held + 1
            self._all.add(flow)
            self._unproven[flow] = None
            flow.accepted(sock)

    def _accept_again(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self.loop.add_reader(listener.fileno(), self._acceptable, listener)

    # ------------------------------------------------------------------ finding and making

    def flow(self, host: str, port: int) -> TcpFlow:
        """The open connection to that address, or one that the first send will make."""
        flow = self._by_remote.get((host, port))
        if flow is None or flow.state in (FINISHING, CLOSED):
            flow = TcpFlow(self, (self._hosts[0], 0), (host, port))
            self._by_remote[host, port] = flow
            self.opening[flow] = None
        return flow

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
        self._by_remote[flow.asked] = flow
        host, port = flow.asked
        if family_of(host):
            self._connect(flow, host, port)
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
            for host in self._hosts:
                if family_of(host) == family and host not in ("0.0.0.0", "::"):  # noqa: S104
                    sock.bind((host, 0))
            flow.connect(sock, (address, port))
        except OSError:  # no such route, a port that nobody may use
            sock.close()
            flow.lose()

    # ------------------------------------------------------------------ what flows report

    def opened(self, flow: TcpFlow) -> None:
        self.opening.pop(flow, None)
        self._by_remote[flow.remote] = flow

    def closed(self, flow: TcpFlow) -> None:
        self._all.discard(flow)
        self.opening.pop(flow, None)
        self._unproven.pop(flow, None)
        self.partial.pop(flow, None)
        for address in (flow.remote, flow.asked):
            if self._by_remote.get(address) is flow:
                del self._by_remote[address]
        if flow.source:
            left = self._by_source[flow.source] - 1
            if left:
                self._by_source[flow.source] = left
            else:
                del self._by_source[flow.source]

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

    # ------------------------------------------------------------------ patience

    def sweep(self, now: float) -> None:
        """Close what has had its time. Once a second; the caller drains afterwards."""
        limits = self.limits
        for flow in list(self.opening):
            if flow.state == NEW:
                if now - flow.since > limits.connect_s:  # asked for, never sent by
                    del self.opening[flow]
                    if self._by_remote.get(flow.asked) is flow:
                        del self._by_remote[flow.asked]
            elif flow.state == OPENING:
                if now - flow.since > limits.connect_s:
                    flow.lose()
            elif now - flow.since > limits.finish_s:
                flow.lose()
        self._end_overdue(self._unproven, lambda flow: flow.since + limits.first_message_s, now)
        self._end_overdue(
            self.partial, lambda flow: self.partial[flow] + limits.rest_of_message_s, now
        )
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
            self._note("too slow", flow)
            flow.lose()

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
            "tcp_accept_errors": self.accept_errors,
            "tcp_timed_out": self.timed_out,
            "tcp_slow_readers": self.slow_readers,
            "tcp_broken_streams": self.faults,
            "tcp_unsent_bytes": self.unsent_bytes,
            "tcp_unsent_messages": self.unsent_messages,
        }
