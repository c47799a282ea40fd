"""Joins the core to the loop: bytes in, bytes out, one timer, one beat for facts.

It holds no SIP rule. The path of a message is short on purpose: a transport calls `receive` (the
core's own method) for each message of a wake-up and `drain` once after the last.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final, Protocol

from sipengine.api import Fact
from sipengine.net.addresses import both_families
from sipengine.net.certificates import Certificates
from sipengine.net.connections import Connections
from sipengine.net.facts import FactsBeat
from sipengine.net.flows import Address, ConnectedFlow, Gate, NetFlow, OpenGate, Ways
from sipengine.net.hosts_file import family_of
from sipengine.net.limits import Limits
from sipengine.net.load import BEAT_S, Load
from sipengine.net.named import NamedUdpFlow
from sipengine.net.resolver import resolver
from sipengine.net.tcp import TcpFlow
from sipengine.net.udp import UdpSocket
from sipengine.net.udp_sockets import UdpSockets
from sipengine.net.unreachable import UnreachableFlow
from sipengine.net.ws_admission import WsAdmission
from sipengine.services.overload import Admission
from sipengine.services.ports import Asker
from sipengine.services.traces import Traces
from sipengine.sip.flow import Flow
from sipengine.sip.next_hop import NextHop, Server
from sipengine.sip.via import DEFAULT_PORTS

GRAIN_S: Final = 0.05
"""Timers that fall into the same twentieth of a second share one wake-up; SIP's shortest is T1, 0.5 s."""

ROUNDS: Final = 8
"""How often one drain goes round when telling the core of a failure makes it send more."""

TICK_S: Final = 1.0


class Door(Protocol):
    """Where messages and broken flows are told first, where that is not the core itself."""

    def receive(self, data: bytes, flow: Flow, now: float) -> None: ...
    def flow_failed(self, flow: Flow, now: float) -> None: ...
    def bounced(self, local: Address, remote: Address) -> None: ...


class CorePort(Protocol):
    """The part of `services.core.Core` that the endpoint drives; its docstrings are the contract."""

    @property
    def out(self) -> list[tuple[Flow, bytes]]: ...
    @property
    def facts_waiting(self) -> bool: ...
    @property
    def answers_waiting(self) -> bool: ...

    @property
    def admission(self) -> Admission: ...

    traces: Traces

    @property
    def facts_pressing(self) -> bool: ...
    def receive(self, data: bytes, flow: Flow, now: float) -> None: ...
    def flow_failed(self, flow: Flow, now: float) -> None: ...
    def next_timer(self) -> float | None: ...
    def handle_timers(self, now: float) -> None: ...
    def take_facts(self, pressing: bool = False) -> tuple[list[Fact], list[tuple[Flow, bytes]]]: ...
    def facts_lost(self) -> None: ...


class Endpoint:
    """The sockets of one engine, and `ports.Flows` for its core.

    Order: construct, `open` (binds, so that a taken port is known early), `attach` the core,
    `serve`. To end: `pause`, then `shut`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        binds: tuple[str, ...],
        limits: Limits,
        note: Callable[[str, TcpFlow], None],
        *,
        certificates: Certificates | None = None,
        admission: WsAdmission | None = None,
        name_servers: tuple[tuple[str, int], ...] = (),
        connections: Ways | None = None,
        sockets: Mapping[str, int] | None = None,
    ) -> None:
        """`binds` are numeric addresses; `::` listens on IPv6 and IPv4 both, each by its own socket.

        `certificates` are for TLS, `admission` for WebSockets; without them there is none.
        `name_servers` are asked instead of those of /etc/resolv.conf. `connections` are another
        process's, where this one has none of its own. `sockets` are descriptors of UDP sockets
        that are bound already, by address.
        """
        self._loop = loop
        hosts = both_families(binds)
        self._udp_sockets = tuple(
            UdpSocket(loop, self, host, (sockets or {}).get(host, -1)) for host in hosts
        )
        self._udp = UdpSockets(self._udp_sockets)
        self._resolver = resolver(loop, self._udp.families, self.settle, name_servers)
        self.connections: Ways = connections or Connections(
            loop, self, self._resolver, hosts, limits, note, certificates, admission
        )
        self.gate: Gate = OpenGate()
        self.load = Load(self._pressed)
        self._beat: asyncio.TimerHandle | None = None
        self.before_reading: Callable[[], None] | None = None  # to be set before `serve`
        self.bounced: Callable[[Address, Address], None] | None = None
        self.dirty: list[ConnectedFlow] = []
        self.finishing: list[ConnectedFlow] = []
        self.failed: list[Flow] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._rearm_below = math.inf
        self._tick: asyncio.TimerHandle | None = None
        self._lag = 0.0

    def open(self, transport: str, port: int) -> None:
        """Listen for UDP, TCP, TLS or WS on `port` of every address.

        Raises OSError if it is taken or an address is not this machine's.
        """
        if transport == "UDP":
            for udp in self._udp_sockets:
                udp.open(port)
        else:
            self.connections.open(transport, port)

    def attach(
        self,
        core: CorePort,
        facts: FactsBeat,
        gate: Gate | None = None,
        door: Door | None = None,
    ) -> None:
        self.core = core
        self.gate = gate or self.gate
        self._facts = facts
        self.receive = (door or core).receive  # its own method: no call in between
        self._flow_failed = (door or core).flow_failed
        if door is not None:
            self.bounced = door.bounced

    def serve(self) -> None:
        for udp in self._udp_sockets:
            udp.serve(self.before_reading)
        self.connections.serve()
        self._tick = self._loop.call_later(TICK_S, self._on_tick)
        self._beat = self._loop.call_later(BEAT_S, self._on_beat)
        self.drain(monotonic())

    def pause(self) -> None:
        """Take no new datagrams and connections; answers still go out."""
        for udp in self._udp_sockets:
            udp.pause()
        self.connections.pause()

    def shut(self) -> None:
        """Close everything. The core hears of nothing more."""
        self._resolver.close()
        for timer in (self._timer, self._tick, self._beat):
            if timer is not None:
                timer.cancel()
        for udp in self._udp_sockets:
            udp.close()
        self.connections.close()
        self.failed.clear()

    async def closed(self) -> None:
        """Wait for what `shut` could only tell to end."""
        await self._resolver.closed()

    # ------------------------------------------------------------------ ports.Flows

    def flow_to(self, transport: str, host: str, port: int) -> NetFlow:
        host = host.strip("[]")
        port = port or DEFAULT_PORTS[transport]
        if transport != "UDP":
            if transport in ("WS", "WSS"):
                return UnreachableFlow(transport, (host, port), self)
            return self.connections.flow(transport, host, port)
        if family_of(host):
            return self._udp.flow(host, port)
        return NamedUdpFlow(self._udp, self._resolver, self, host, port)

    def datagrams(self, local: Address, remote: Address) -> NetFlow:
        """The flow over UDP between two addresses, as numbers."""
        return self._udp.flow_from(local[0], *remote)

    def locate(self, hop: NextHop, seed: str, asker: Asker) -> None:
        self._resolver.locate(hop, seed, asker)

    def flow_at(self, server: Server) -> NetFlow:
        if server.transport == "TLS" and server.name:
            return self.connections.flow("TLS", server.name, server.port, server.host)
        return self.flow_to(server.transport, server.host, server.port)

    def stream_beside(self, flow: Flow) -> NetFlow:
        return self.connections.beside(*flow.remote)

    def close(self, flow: Flow) -> None:
        self.connections.finish(flow)

    # ------------------------------------------------------------------ the drain

    def drain(self, now: float) -> None:
        core = self.core
        if core.facts_pressing:
            self._facts.wanted(now)  # before the answer that makes them known goes out
        for _ in range(ROUNDS):
            out: list[tuple[NetFlow, bytes]] = core.out  # type: ignore[assignment]  # we made them
            if out:
                for flow, data in out:
                    flow.send(data)
                out.clear()
            if self.dirty:
                dirty = self.dirty
                self.dirty = []
                for connection in dirty:
                    connection.flush()
            if self.finishing:
                finishing = self.finishing
                self.finishing = []
                for connection in finishing:
                    connection.finish()
            if not self.failed:
                break
            failed = self.failed
            self.failed = []
            for broken in failed:
                self._flow_failed(broken, now)
        due = core.next_timer()
        if due is not None and due < self._rearm_below:
            self._arm(due)
        if core.facts_waiting:
            self._facts.wanted(now)

    def settle(self, now: float) -> None:
        """Drain what came of no message and no timer: of the answer to a question, of a command."""
        self.core.traces.sent_otherwise(0, now)
        self.drain(now)

    def send(self, held: list[tuple[Flow, bytes]]) -> None:
        """Send answers that waited for the disk; the drain that follows flushes them."""
        flow: NetFlow
        for flow, data in held:  # type: ignore[assignment]  # we made them
            flow.send(data)

    # ------------------------------------------------------------------ time

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = (math.floor(due / GRAIN_S) + 1) * GRAIN_S
        self._rearm_below = self._timer_at - GRAIN_S
        self._timer = self._loop.call_at(self._timer_at, self._on_timer)

    def _on_timer(self) -> None:
        now = monotonic()
        self._lag = max(self._lag, now - self._timer_at)
        self._timer = None
        self._rearm_below = math.inf
        try:
            self.core.handle_timers(now)
        finally:
            self.drain(now)

    def _on_tick(self) -> None:
        now = monotonic()
        assert self._tick is not None
        self._lag = max(self._lag, now - self._tick.when())
        self._tick = self._loop.call_later(TICK_S, self._on_tick)
        self.connections.sweep(now)
        self.gate.sweep(now)
        self.drain(now)

    def _pressed(self, level: int, share: float) -> None:
        self.core.admission.level, self.core.admission.share = level, share

    def _on_beat(self) -> None:
        assert self._beat is not None
        self.load.beat(monotonic() - self._beat.when())
        self._beat = self._loop.call_later(BEAT_S, self._on_beat)

    def take_lag(self) -> float:
        """The longest that a timer was late since last asked, in seconds."""
        lag = self._lag
        self._lag = 0.0
        return lag

    def counters(self) -> dict[str, int]:
        total: dict[str, int] = self._resolver.counters() | {
            "load_level": self.load.level,
            "load_refused_percent": round(self.load.share * 100),
            "load_rises": self.load.rises,
        }
        for udp in self._udp_sockets:
            for name, value in udp.counters().items():
                total[name] = total.get(name, 0) + value
        return total | self.connections.counters()
