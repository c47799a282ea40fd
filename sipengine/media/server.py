"""The engine's RTP ports: endpoints made and counted, a bounded number at a time."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable
from time import monotonic
from typing import Final

from sipengine.media.endpoint import Ended, Playlist, RtpEndpoint
from sipengine.services.feature_codes import ECHO, TONE
from sipengine.services.ports import Sound

MOST: Final = 100
"""Endpoints at once: each sends 50 packets a second at most, a twentieth of a processor for all."""
ATTEMPTS: Final = 50
"""Ports tried for one endpoint; others are the media gateway's, or another program's."""

LOOPBACK: Final = ("127.0.0.1", "::1")

PLAYLISTS: Final[dict[str, Playlist]] = {ECHO: (), TONE: ((440, 1),)}


class MediaServer:
    """`services.ports.Media`. `drain` is called after an endpoint told the core that it ended."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        binds: tuple[str, ...],
        ports: tuple[int, int],
        drain: Callable[[float], None],
    ) -> None:
        """`ports` are the first and the last; only even ones are taken (RFC 3550 §11)."""
        self._loop = loop
        self._binds = binds
        self._ports = range(ports[0] + ports[0] % 2, ports[1] + 1, 2)
        self._at = secrets.randbelow(len(self._ports)) if self._ports else 0
        self._drain = drain
        self._endpoints: set[RtpEndpoint] = set()
        self.opened = 0
        self.refused = 0

    def open(self, program: str, host: str, signalling: str, ended: Ended) -> Sound | None:
        bound = self._bound(host) if len(self._endpoints) < MOST else None
        if bound is None:
            self.refused += 1
            return None

        def tell(why: str, now: float) -> None:
            ended(why, now)
            self._drain(monotonic())

        endpoint = RtpEndpoint(
            self._loop,
            bound,
            (host, bound.getsockname()[1]),
            signalling,
            PLAYLISTS[program],
            secrets.token_bytes(8),
            tell,
            self._endpoints.discard,
        )
        self._endpoints.add(endpoint)
        self.opened += 1
        return endpoint

    def _bound(self, host: str) -> socket.socket | None:
        """A socket on which packets for `host` arrive; None if no port is free there."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        binds = [bind for bind in self._binds if (":" in bind) == (":" in host)]
        if host in LOOPBACK:  # for a gateway beside us, whatever addresses phones use
            binds = [host]
        if not binds:
            return None
        bind = host if host in binds else binds[0]
        for _ in range(min(ATTEMPTS, len(self._ports))):
            self._at = (self._at + 1) % len(self._ports)
            sock = socket.socket(family, socket.SOCK_DGRAM)
            try:
                sock.setblocking(False)
                sock.bind((bind, self._ports[self._at]))
            except OSError:
                sock.close()
                continue
            return sock
        return None

    def close(self) -> None:
        """Close every endpoint."""
        for endpoint in list(self._endpoints):
            endpoint.close()

    def counters(self) -> dict[str, int]:
        return {
            "rtp_endpoints_now": len(self._endpoints),
            "rtp_endpoints": self.opened,
            "rtp_endpoints_refused": self.refused,
        }
