"""The engine put together, and its life: start, serve, stop.

Order of the start: configuration and state from the link, ports bound (a taken one is known before
anything else is done), the core made and its state restored, and only then the first message read.
Order of the end: nothing new is read, the facts go to disk, the answers out, the sockets close;
the link then ships what it can. An established call needs none of this: its state travels in its
messages, and the next process goes on with it.
"""

from __future__ import annotations

import asyncio
import resource
import secrets
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from time import monotonic, time
from typing import Any, Final

import structlog

from sipengine.api import ConfigSnapshot
from sipengine.commands import Commands
from sipengine.crew.roles import Alone, Owner, Role, Worker
from sipengine.heartbeat import Heartbeat
from sipengine.interpreter import hold_collector, settle_interpreter
from sipengine.link_port import LinkPort, Start
from sipengine.media.ng import NgClient
from sipengine.media.server import MediaServer
from sipengine.net.advertising import answered_hosts, own_addresses
from sipengine.net.certificates import CertificateFiles, Certificates
from sipengine.net.endpoint import Endpoint
from sipengine.net.facts import FactsBeat
from sipengine.net.limits import Limits
from sipengine.net.tcp import TcpFlow
from sipengine.net.ws_admission import WsAdmission
from sipengine.observe.logs import Scarce
from sipengine.observe.metrics import collect
from sipengine.page_credentials import page_key
from sipengine.relay_note import relay_key
from sipengine.services.core import Core
from sipengine.services.guard.sources import Allowed
from sipengine.services.share import Share
from sipengine.services.traces import MOST_BYTES

FLUSH_S: Final = 2.0
"""For the last facts to reach the disk when the engine stops; a commit takes milliseconds."""

SHIP_S: Final = 1.5
"""For the journal to reach the database then; what does not, waits on disk for the next start. With
the flush it stays below the four seconds after which the supervisor ends a part by force."""

DESCRIPTORS: Final = 65_536
"""File descriptors wanted: 20,000 connections with room to grow; the hard limit may be less."""

SPARE_DESCRIPTORS: Final = 256
"""Not for connections: sockets, database, journal."""


PORT_VARIABLES: Final = {
    "UDP": "PBX_SIP_PORT",
    "TCP": "PBX_SIP_PORT",
    "TLS": "PBX_SIPS_PORT",
    "WS": "PBX_WS_PORT",
}


class EngineError(Exception):
    """The engine cannot start; the message is one sentence that says what to mend."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the engine must be told. `secret` is the installation's; the engine derives its own.

    `advertised_is_given`: an operator chose it. Port 0 of TLS or WebSocket: not listened for.
    `page_ports` are those of our own pages (HTTP, HTTPS), `origins` what PBX_WS_ORIGINS lists.
    `guard_allow` are networks that the guard never limits.
    """

    binds: tuple[str, ...]
    port: int
    advertised: str
    guard: bool
    secret: str
    guard_allow: tuple[IPv4Network | IPv6Network, ...] = ()
    advertised_is_given: bool = True
    tls_port: int = 0
    tls: CertificateFiles | None = None
    ws_port: int = 0
    media: tuple[tuple[str, int], ...] = ()
    page_ports: tuple[int, ...] = ()
    origins: tuple[str, ...] = ()
    name_servers: tuple[tuple[str, int], ...] = ()
    """(address, port) of name servers to ask instead of those of /etc/resolv.conf."""
    rtp_ports: tuple[int, int] = (20000, 29999)
    trace_bytes: int = MOST_BYTES
    """Of SIP messages kept for who asks what happened to a call; 0: none."""
    share: tuple[int, int] = (0, 1)
    """This process's number, and how many the engine has."""
    crew_socket: Path = Path()
    """Where the processes of the engine meet, if it has several."""
    sockets: Mapping[str, int] = field(default_factory=dict)
    """Descriptors of UDP sockets that are bound already, by address."""


class Engine:
    """One engine process. `run` is its whole life."""

    def __init__(
        self, settings: Settings, link: LinkPort, ready: Callable[[], None] | None = None
    ) -> None:
        """`ready` is called when messages are read."""
        self._settings = settings
        self._ready = ready
        self._link = link
        self._log = structlog.get_logger()
        self._misbehaving = Scarce()
        self.defects = 0

    def run(self) -> None:
        """Start, serve until SIGTERM or SIGINT, stop. Raises `EngineError`, or what the link raises."""
        raise_descriptor_limit()
        hold_collector()
        start = self._link.start()
        try:
            loop = asyncio.new_event_loop()
            try:
                loop.run_until_complete(self._live(loop, start))
            finally:
                loop.close()
        finally:
            self._link.close(SHIP_S)

    async def _live(self, loop: asyncio.AbstractEventLoop, start: Start) -> None:
        self._loop = loop
        loop.set_exception_handler(self._defect)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        settings = self._settings
        self._role = self._role_played()
        self._certificates = self._load_certificates()
        self._admission = WsAdmission(
            settings.origins, settings.page_ports, relay_key(settings.secret)
        )
        self.endpoint = Endpoint(
            loop,
            settings.binds,
            self._limits(),
            self._note,
            certificates=self._certificates,
            admission=self._admission,
            name_servers=settings.name_servers,
            connections=self._role.ways,
            sockets=settings.sockets,
        )
        self._gateways = NgClient(loop, list(settings.media), self.endpoint.settle)
        try:
            self._bind()
            await self._gateways.open()
            self._compose(start)
            self._meet()
            if await first_of(self._role.complete(), stop.wait()):
                self._serve(start)
                await stop.wait()
            self._log.info("engine stopping")
            self._media.close()
            self._heartbeat.stop()
            self.endpoint.pause()
            try:
                await asyncio.wait_for(self._facts.finish(), FLUSH_S)
            except TimeoutError:
                self._log.warning("the journal did not take the last facts in time")
        finally:
            self._role.close()
            self._gateways.close()
            self.endpoint.shut()
            await self.endpoint.closed()

    def _role_played(self) -> Role:
        settings = self._settings
        number, count = settings.share
        if count == 1:
            return Alone()
        share = Share(number, count)

        def after(now: float) -> None:
            self.endpoint.drain(now)

        if number:
            return Worker(self._loop, settings.crew_socket, share, settings.binds, after)
        return Owner(self._loop, settings.crew_socket, share, after)

    def _meet(self) -> None:
        try:
            self._role.open()
        except OSError as error:
            raise EngineError(
                f"PBX_ENGINE_WORKERS: the engine's processes cannot meet at"
                f" {self._settings.crew_socket}: {error.strerror}."
            ) from error

    def _bind(self) -> None:
        for transport, port in self._ports().items():
            try:
                self.endpoint.open(transport, port)
            except OSError as error:
                variable = PORT_VARIABLES[transport]
                raise EngineError(
                    f"SIP over {transport} cannot listen on {', '.join(self._settings.binds)} port"
                    f" {port}: {error.strerror}. End the program that uses it, or choose another"
                    f" {variable} or PBX_BIND."
                ) from error

    def _ports(self) -> dict[str, int]:
        """Transport -> port, of all that is listened for."""
        settings = self._settings
        ports = {"UDP": settings.port, "TCP": settings.port}
        if settings.tls_port and settings.tls is not None:
            ports["TLS"] = settings.tls_port
        if settings.ws_port:
            ports["WS"] = settings.ws_port
        return ports

    def _load_certificates(self) -> Certificates | None:
        files = self._settings.tls
        if files is None:
            return None
        try:
            return Certificates(files)
        except OSError as error:  # ssl.SSLError is one
            raise EngineError(
                f"PBX_TLS_CERT, PBX_TLS_KEY: {files.certificate} and {files.key} cannot be used:"
                f" {error}. Give a PEM certificate with its key, or leave both out."
            ) from error

    def _compose(self, start: Start) -> None:
        loop = self._loop
        settings = self._settings
        ports = self._ports()
        addresses = own_addresses(
            settings.binds, settings.advertised, settings.advertised_is_given, settings.port,
            {**ports, "WSS": max(settings.page_ports, default=0)},
        )  # fmt: skip
        self._hosts = answered_hosts(settings.binds, addresses)
        self._admission.set_hosts([*self._hosts, "localhost", *start.snapshot.domains])
        self._media = MediaServer(loop, settings.binds, settings.rtp_ports, self.endpoint.settle)
        self.core = Core(
            start.snapshot,
            self.endpoint,
            secret=derive_secret(settings.secret),
            page_key=page_key(settings.secret),
            instance=secrets.token_hex(8),
            listening=[(name, host, port) for host in self._hosts for name, port in ports.items()],
            advertised=addresses,
            now=monotonic(),
            wall=time(),
            allowed=Allowed(settings.guard_allow) if settings.guard else None,
            media=self._media,
            gateways=self._gateways,
            trace_bytes=settings.trace_bytes,
            share=self._role.share,
            follows=self._role.ways is not None,
        )
        self._facts = FactsBeat(
            loop, self.endpoint, self._link.journal, self._link.notify_written, self._not_durable
        )
        door = self._role.attach(self.core, self.endpoint)
        self.endpoint.attach(self.core, self._facts, self.core.guard, door)
        self.core.restore(start.restored, monotonic(), time())
        self._heartbeat = Heartbeat(
            loop, self.core, self.endpoint, self._facts, self._link, self._certificates,
            self.counters, start.snapshot.generation,
        )  # fmt: skip
        self._link.watch(lambda snapshot: call_from_thread(loop, self._configure, snapshot))

    def _serve(self, start: Start) -> None:
        self._role.command(Commands(self._loop, self.core, self.endpoint.settle, self._link))
        settle_interpreter()
        self.endpoint.serve()
        self._heartbeat.start()
        self._tell_ready(start, self._ports())
        if self._ready is not None:
            self._ready()

    def _tell_ready(self, start: Start, ports: dict[str, int]) -> None:
        settings = self._settings
        counters = self.core.counters()
        self._log.info(
            "engine ready",
            **{name.lower(): f"{','.join(settings.binds)}:{port}" for name, port in ports.items()},
            advertised=f"{settings.advertised}:{settings.port}",
            bindings=counters["bindings_now"],
            calls=len(start.restored.calls),
            bans=counters.get("guard_bans_now", 0),
            subscriptions=len(start.restored.subscriptions),
            messages_kept=len(start.restored.messages),
            generation=start.snapshot.generation,
            compiled=is_compiled(),
        )

    def _limits(self) -> Limits:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        usual = Limits()
        return Limits(
            total=max(SPARE_DESCRIPTORS, min(usual.total, soft - SPARE_DESCRIPTORS)),
            per_source=usual.per_source if self._settings.guard else 0,
        )

    def _configure(self, snapshot: ConfigSnapshot) -> None:
        now = monotonic()
        self.core.set_config(snapshot, now)
        self._admission.set_hosts([*self._hosts, "localhost", *snapshot.domains])
        self._heartbeat.generation = snapshot.generation
        self.endpoint.drain(now)
        self._log.info(
            "configuration changed",
            generation=snapshot.generation,
            extensions=len(snapshot.extensions),
            rules=len(snapshot.rules),
        )

    # ------------------------------------------------------------------ telling

    def counters(self) -> dict[str, int | float]:
        return collect(
            self.core.counters(),
            self.endpoint.counters(),
            self._facts.counters(),
            self._media.counters(),
            self._link.counters(),
            self._gateways.counters(),
            self._role.counters(),
            {
                "defects": self.defects,
                "loop_lag_ms": round(self.endpoint.take_lag() * 1000, 1),
                "collection_ms": round(self._heartbeat.pause * 1000, 1),
                "commit_ms": round(self._facts.take_longest() * 1000, 1),
            },
        )

    def _note(self, why: str, flow: TcpFlow) -> None:
        self._misbehaving.warning(
            "connection closed", why=why, peer=f"{flow.remote[0]}:{flow.remote[1]}"
        )

    def _not_durable(self, why: str) -> None:
        self._heartbeat.undurable.refused(why, self._facts.commits)

    def _defect(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something of ours raised in a callback: it ends that one message, never the engine."""
        self.defects += 1
        self._log.error(
            "defect", what=context.get("message", ""), exc_info=context.get("exception")
        )


async def first_of(one: Coroutine[Any, Any, object], other: Coroutine[Any, Any, object]) -> bool:
    """Wait for either; whether it was `one`."""
    tasks = [asyncio.ensure_future(one), asyncio.ensure_future(other)]
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    return tasks[0] in done


def call_from_thread(
    loop: asyncio.AbstractEventLoop,
    call: Callable[[ConfigSnapshot], None],
    snapshot: ConfigSnapshot,
) -> None:
    """Have the loop call; nothing if it has ended meanwhile."""
    try:
        loop.call_soon_threadsafe(call, snapshot)
    except RuntimeError:
        return


def is_compiled() -> bool:
    """Whether the core runs as machine code (docs/decisions/0005-compiled-engine.md)."""
    return not str(sys.modules[Core.__module__].__file__).endswith(".py")


def derive_secret(installation: str) -> bytes:
    """The engine's own 32 bytes: who learns what it signs learns nothing of the web side's key."""
    return blake2b(installation.encode(), digest_size=32, person=b"sip engine").digest()


def raise_descriptor_limit() -> None:
    """Ask for as many file descriptors as wanted and allowed; one a connection is needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
