"""A world for the whole core: a clock that is told, flows without sockets, a wire that can lose things.

Messages go in and out as bytes. Nothing happens until a phone sends or the clock moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sipengine.api import (
    STATE_ENDED,
    BanRecord,
    BindingGone,
    BindingRecord,
    CallRecord,
    ConfigSnapshot,
    Domain,
    Extension,
    Fact,
    KeptMessage,
    KeptMessageGone,
    Restored,
    Rule,
    SubscriptionGone,
    SubscriptionRecord,
)
from sipengine.services.core import Core
from sipengine.services.guard.sources import Allowed
from sipengine.services.ports import Asker
from sipengine.sip.flow import Flow
from sipengine.sip.next_hop import Located, NextHop, Server
from sipengine.sip.sdp.answering import Agreed
from tests.support.wire import Message, parse

if TYPE_CHECKING:
    from tests.services.user_agents import Phone

SERVER = ("192.0.2.1", 5060)
DOMAIN = "pbx.test"
WALL = 1_800_000_000.0
SECRET = b"a secret of at least sixteen bytes"
MAX_WAKE_UPS = 20_000

Fate = Callable[[bytes], Iterator[float]]
"""What becomes of a message of the server: for each copy that arrives, its delay in seconds."""


def delivered(data: bytes) -> Iterator[float]:
    yield 0.0


def snapshot(
    extensions: list[Extension],
    rules: list[Rule] | tuple[Rule, ...] = (),
    domains: tuple[Domain, ...] = (Domain(DOMAIN),),
) -> ConfigSnapshot:
    return ConfigSnapshot(
        1,
        domains[0].name,
        {d.name: d for d in domains},
        {e.aor: e for e in extensions},
        tuple(rules),
    )


class Speaker:
    """`ports.Sound` of a server without sockets."""

    def __init__(
        self, host: str, port: int, program: str, ended: Callable[[str, float], None]
    ) -> None:
        self.address = (host, port)
        self.program, self.ended = program, ended
        self.agreed: list[Agreed] = []
        self.open = True

    def connect(self, agreed: Agreed) -> None:
        self.agreed.append(agreed)

    def close(self) -> None:
        self.open = False


class Speakers:
    """`ports.Media`: remembers what was opened; `free` ports are left."""

    def __init__(self) -> None:
        self.opened: list[Speaker] = []
        self.free = 100

    def open(
        self, program: str, host: str, signalling: str, ended: Callable[[str, float], None]
    ) -> Speaker | None:
        if len(self.opened) >= self.free:
            return None
        self.opened.append(Speaker(host, 20000 + 2 * len(self.opened), program, ended))
        return self.opened[-1]


class Wire:
    """`ports.Flows`, clock, shell and journal of one core.

    `fate` decides what becomes of each message the server sends; `sent` keeps all of them in order.
    `servers` is what host names lead to.
    """

    def __init__(
        self,
        config: ConfigSnapshot,
        *,
        now: float = 1000.0,
        server: tuple[str, int] = SERVER,
        allowed: Allowed | None = None,
    ) -> None:
        self.config = config
        self.server = server
        self.allowed = allowed  # with it there is a guard, which is asked first as the shell does
        self.bans: dict[str, BanRecord] = {}
        self.now = now
        self.fate: Fate = delivered
        self.sent: list[tuple[Flow, bytes]] = []
        self.bindings: dict[tuple[str, str, str | None, int], BindingRecord] = {}
        self.subscriptions: dict[str, SubscriptionRecord] = {}
        self.kept: dict[str, KeptMessage] = {}
        self.rows: dict[str, CallRecord] = {}
        self.revisions: list[CallRecord] = []
        self.closed: list[Flow] = []
        self._late: list[tuple[float, int, Flow, bytes]] = []
        self._udp: dict[tuple[str, int], Flow] = {}
        self._tcp: dict[tuple[str, int], Flow] = {}
        self._phones: dict[Flow, Phone] = {}
        self._beside: set[Flow] = set()
        self._listening: dict[tuple[str, str, int], Phone] = {}
        self.servers: dict[str, Located] = {}
        self.lookups: list[tuple[NextHop, str, Asker]] = []
        self.media = Speakers()
        self.core = self._boot("one")

    def _boot(self, instance: str) -> Core:
        return Core(
            self.config, self, secret=SECRET, instance=instance,
            listening=[("UDP", *self.server), ("TCP", *self.server)], advertised=self.server,
            now=self.now, wall=self.wall, allowed=self.allowed, media=self.media,
        )  # fmt: skip

    @property
    def wall(self) -> float:
        return WALL + self.now

    # ------------------------------------------------------------------ ports.Flows

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        address = (host, port or 5060)
        if transport != "UDP":
            flow = self._tcp.get(address)
            if flow is None or not flow.open:
                flow = self._tcp[address] = Flow(transport, SERVER, address)
            return flow
        if address not in self._udp:
            self._udp[address] = Flow("UDP", SERVER, address)
        return self._udp[address]

    def stream_beside(self, flow: Flow) -> Flow:
        """Refused at once where no phone listens for TCP."""
        stream = self.flow_to("TCP", *flow.remote)
        self._beside.add(stream)
        return stream

    def locate(self, hop: NextHop, seed: str, asker: Asker) -> None:
        """Answered by the next `settle` if the name is in `servers`, else the search goes on."""
        self.lookups.append((hop, seed, asker))

    def flow_at(self, server: Server) -> Flow:
        return self.flow_to(server.transport, server.host, server.port)

    def close(self, flow: Flow) -> None:
        flow.open = False
        self.closed.append(flow)

    # ------------------------------------------------------------------ phones

    def attach(self, phone: Phone, transport: str, host: str, port: int) -> Flow:
        """A phone that sends from `host:port`; by TCP it has just connected."""
        flow = self.flow_to(transport, host, port)
        self._phones[flow] = phone
        return flow

    def listen(self, phone: Phone, transport: str, host: str, port: int) -> None:
        """A phone that also takes what comes to another address of it."""
        self._listening[(transport, host, port)] = phone

    def detach(self, flow: Flow) -> None:
        """Nobody is there any more: what is sent there is lost without a sign."""
        self._phones.pop(flow, None)

    def drop_connection(self, flow: Flow) -> None:
        """A TCP connection breaks and the server's shell notices."""
        flow.open = False
        self.core.flow_failed(flow, self.now)
        self.settle()

    def bounce(self, flow: Flow) -> None:
        """Nobody listens there: ICMP says so, or the connection is refused."""
        self.detach(flow)
        if flow.reliable:
            flow.open = False
        self.core.flow_failed(flow, self.now)
        self.settle()

    # ------------------------------------------------------------------ time and traffic

    def receive(self, data: bytes, flow: Flow) -> None:
        """The server receives a message."""
        guard = self.core.guard
        if guard is not None and guard.shut and guard.blocks(flow.remote[0], self.now):
            return
        self.core.receive(data, flow, self.now)
        self.settle()

    def settle(self) -> None:
        """Tell the server what names lead to, and hand what it wants sent to the phones."""
        while known := [one for one in self.lookups if one[0].host in self.servers]:
            self.lookups.remove(known[0])
            known[0][2].on_located(self.servers[known[0][0].host], self.now)
        out = self.core.out
        waiting, out[:] = list(out), []
        for flow, data in waiting:
            self.sent.append((flow, data))
            for delay in self.fate(data):
                if delay:
                    self._late.append((self.now + delay, len(self.sent), flow, data))
                else:
                    self._deliver(flow, data)

    def _deliver(self, flow: Flow, data: bytes) -> None:
        phone = self._phones.get(flow)
        if phone is None:
            phone = self._listening.get((flow.transport, *flow.remote))
        if phone is None and flow in self._beside:
            self._beside.discard(flow)
            self.bounce(flow)
        elif phone is not None and flow.open:
            phone.arrived(parse(data, flow.remote))

    def advance(self, seconds: float) -> None:
        """Let that much time pass, with everything that falls due in it."""
        end = self.now + seconds
        for _ in range(MAX_WAKE_UPS):
            due = self.core.next_timer()
            late = min((at for at, *_ in self._late), default=None)
            moments = [at for at in (due, late) if at is not None]
            if not moments or min(moments) > end:
                break
            self.now = max(self.now, min(moments))
            if due is not None and due <= self.now:
                self.core.handle_timers(self.now)
                self.settle()
            for item in sorted(item for item in self._late if item[0] <= self.now):
                self._late.remove(item)
                self._deliver(item[2], item[3])
        else:
            raise AssertionError("the core asks to be woken again and again")
        self.now = end

    # ------------------------------------------------------------------ facts

    def beat(self) -> list[Fact]:
        """The shell makes the facts durable and sends what waited for that."""
        facts, held = self.core.take_facts()
        for fact in facts:
            if isinstance(fact, BindingRecord):
                self.bindings[(fact.aor, fact.contact, fact.instance, fact.reg_id)] = fact
            elif isinstance(fact, BindingGone):
                self.bindings.pop((fact.aor, fact.contact, fact.instance, fact.reg_id), None)
            elif isinstance(fact, BanRecord):
                self.bans[fact.id] = fact
            elif isinstance(fact, SubscriptionRecord):
                self.subscriptions[fact.id] = fact
            elif isinstance(fact, SubscriptionGone):
                self.subscriptions.pop(fact.id, None)
            elif isinstance(fact, KeptMessage):
                self.kept[fact.id] = fact
            elif isinstance(fact, KeptMessageGone):
                self.kept.pop(fact.id, None)
            else:
                self.rows[fact.id] = fact
                self.revisions.append(fact)
        self.core.out.extend(held)
        self.settle()
        return facts

    @property
    def row(self) -> CallRecord:
        """The call log's row, of which there must be exactly one."""
        self.beat()
        assert len(self.rows) == 1, [
            (row.caller, row.called, row.state) for row in self.rows.values()
        ]
        return next(iter(self.rows.values()))

    def restart(self, *, with_facts: bool = True) -> None:
        """`kill -9` and a new process with the same secret. Connections are gone.

        `with_facts` false: also the journal and the database are lost.
        """
        if with_facts:
            self.beat()
        for flow in self._tcp.values():
            flow.open = False
        self.core = self._boot("two")
        if with_facts:
            calls = [row for row in self.rows.values() if row.state != STATE_ENDED]
            left = Restored(
                bindings=list(self.bindings.values()),
                calls=calls,
                bans=list(self.bans.values()),
                subscriptions=list(self.subscriptions.values()),
                messages=list(self.kept.values()),
            )
            self.core.restore(left, self.now, self.wall)

    # ------------------------------------------------------------------ for checks

    @property
    def transactions(self) -> int:
        return self.core.counters()["transactions_now"]

    def messages(self, since: int = 0) -> list[Message]:
        """What the server has sent, oldest first."""
        return [parse(data, flow.remote) for flow, data in self.sent[since:]]
