"""A wire whose core has a media gateway, which the test plays: it gives the gateway's answers."""

from __future__ import annotations

from sipengine.services.core import Core
from sipengine.services.own_addresses import OwnAddresses
from sipengine.services.ports import MediaAnswer, MediaListener, MediaRequest, MediaWaiter
from sipengine.sip.flow import Flow
from tests.services.conftest import person
from tests.services.wire import SECRET, SERVER, Wire, snapshot

WEB = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
    "c=IN IP4 0.0.0.0\r\na=fingerprint:sha-256 AB\r\n"
)
SRTP = (
    "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/SAVP 0\r\n"
)
FIGURES = '{"caller":{"packets":500},"callee":{"packets":499},"silent":""}'
TYPE = "Content-Type: application/sdp\n"


class Plane:
    """`ports.MediaPlane` whose answers the test gives: it marks what it rewrote."""

    def __init__(self) -> None:
        self.asked: list[tuple[MediaRequest, MediaWaiter | None]] = []
        self.done: list[MediaRequest] = []
        self.instance = 0

    def choose(self) -> int:
        return self.instance

    def listen(self, listener: MediaListener) -> None:
        self.listener = listener

    def near(self, instance: int) -> str:
        return "127.0.0.1"

    def ask(self, request: MediaRequest, waiter: MediaWaiter | None) -> None:
        self.asked.append((request, waiter))


class Anchored(Wire):
    """A wire with a media plane, and flows of WebSockets."""

    def __init__(self, plane: Plane | None) -> None:
        self._plane = plane
        self._web: dict[tuple[str, int], Flow] = {}
        super().__init__(snapshot([person(number) for number in ("1001", "1002", "1003")]))

    def _boot(self, instance: str) -> Core:
        return Core(
            self.config, self, secret=SECRET, instance=instance,
            listening=[(name, *SERVER) for name in ("UDP", "TCP", "WS")],
            advertised=OwnAddresses(SERVER, {"WS": SERVER[1]}),
            now=self.now, wall=self.wall, gateways=self._plane, media=self.media,
        )  # fmt: skip

    @property
    def plane(self) -> Plane:
        assert self._plane is not None
        return self._plane

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        if transport in ("WS", "WSS"):
            return self._web.setdefault((host, port), Flow("WS", SERVER, (host, port)))
        return super().flow_to(transport, host, port)

    def gateway(
        self,
        command: str,
        *,
        ok: bool = True,
        status: int = 488,
        figures: str = "",
        silent: str = "",
        gone: str = "",
        fault: tuple[str, str] = ("", ""),
        waits: bool = False,
        sdp: str = "",
        by: int | None = None,
    ) -> MediaRequest:
        """The gateway answers the oldest question, which must be that; with `sdp`, or a mark on what came.
        `by`: another instance has taken it."""
        assert self.plane.asked, f"the gateway was not asked for {command}"
        request, waiter = self.plane.asked.pop(0)
        assert request.command == command, request
        self.plane.done.append(request)
        if waiter is not None:
            sdp = sdp or f"v=0\r\no=gateway {command} {request.protocol}\r\n{request.sdp}"
            answer = MediaAnswer(
                ok,
                request.instance if by is None else by,
                sdp if ok else "",
                "no codec in common",
                status,
                figures,
                silent,
                gone,
                *fault,
                waits,
            )
            waiter.on_media(answer, self.now)
            self.settle()
        return request
