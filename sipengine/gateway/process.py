"""The media gateway put together, and its life: ports, serve, stop."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from sipengine.gateway.dtls import make_certificate
from sipengine.gateway.gateway import Gateway
from sipengine.gateway.ng_server import NgServer
from sipengine.gateway.probe import Probe
from sipengine.gateway.rtp_ports import RtpPorts
from sipengine.gateway.shared_port import SharedPort
from sipengine.gateway.surroundings import IP4, IP6, Place, Surroundings
from sipengine.gateway.transcoding import prepare

DESCRIPTORS: Final = 16_384
MAX_CANDIDATES: Final = 8
"""Addresses of this machine that browsers are told and listened for at."""

NG_HOST: Final = "127.0.0.1"


class GatewayError(Exception):
    """The gateway cannot start; the message is one sentence that says what to mend."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`ports` is the whole range: the first is the browsers', the second (on loopback only) the
    controller's, the rest are the phones'. `local` are this machine's addresses. `probe_key` is
    `path_probe.probe_key`'s; without it no page may ask.
    """

    binds: tuple[str, ...]
    advertised: str
    local: tuple[str, ...]
    ports: tuple[int, int]
    probe_key: bytes = b""


class Process:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log = structlog.get_logger()
        self.defects = 0

    def run(self, on_ready: Callable[[], None]) -> None:
        """Start, tell, serve until SIGTERM or SIGINT, stop. Raises `GatewayError`."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        asyncio.run(self._live(on_ready))

    async def _live(self, on_ready: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._defect)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        prepare()
        shared, gateway, server = self.open(loop)
        try:
            gateway.start()
            gc.collect()
            gc.freeze()
            self._log.info(
                "gateway ready",
                browsers=shared.port,
                controller=server.port,
                phones=f"{self._settings.ports[0] + 2}-{self._settings.ports[1]}",
                advertised=self._settings.advertised,
            )
            on_ready()
            await stop.wait()
            self._log.info("gateway stopping", calls=gateway.call_count)
        finally:
            gateway.stop()
            server.close()
            await asyncio.sleep(0)  # DTLS says good-bye in its own tasks
            shared.close()

    def open(self, loop: asyncio.AbstractEventLoop) -> tuple[SharedPort, Gateway, NgServer]:
        """Bind every port that is not a call's. Raises `GatewayError`."""
        settings = self._settings
        first, last = settings.ports
        counters: Counter[str] = Counter()
        shared = SharedPort(loop, counters, Probe(settings.probe_key))
        hosts = list(dict.fromkeys(settings.local))[:MAX_CANDIDATES]
        candidates = tuple(dict.fromkeys([settings.advertised, *hosts]))[:MAX_CANDIDATES]
        surroundings = Surroundings(
            places_of(settings),
            shared,
            RtpPorts(first + 2 if first else 0, last),
            make_certificate(),
            candidates,
            counters,
        )
        gateway = Gateway(loop, surroundings)
        server = NgServer(loop, gateway)
        try:
            shared.open(hosts, first)
            server.open(NG_HOST, first + 1 if first else 0)
        except OSError as error:
            shared.close()
            raise GatewayError(
                f"The media gateway cannot listen on UDP ports {first} and {first + 1}: {error.strerror}."
                " End the program that uses them, or choose another PBX_RTP_PORTS."
            ) from error
        return shared, gateway, server

    def _defect(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something of ours raised in a callback: it costs that packet, never the gateway."""
        self.defects += 1
        if self.defects <= 100 or self.defects % 1000 == 0:
            self._log.error(
                "defect", what=context.get("message", ""), exc_info=context.get("exception")
            )


def places_of(settings: Settings) -> dict[str, Place]:
    """Where phones' sockets are bound and what is advertised, by address family."""
    found: dict[str, Place] = {}
    for family, wild in ((IP4, "0.0.0.0"), (IP6, "::")):  # noqa: S104 - a PBX serves its network
        mine = [host for host in settings.local if (":" in host) == (family == IP6)]
        binds = [host for host in settings.binds if (":" in host) == (family == IP6)]
        fits = (":" in settings.advertised) == (family == IP6)
        told = settings.advertised if fits else next(iter(mine), "")
        if told and (binds or "::" in settings.binds):
            # What leaves has the address that phones send to: else a machine with several would answer
            # from the one on the way to the peer, which firewalls and phones take for a stranger's.
            # One that is not ours is a NAT's, which sees to that.
            bind = binds[0] if len(binds) == 1 else wild
            found[family] = Place(told if bind == wild and told in mine else bind, told)
    return found
