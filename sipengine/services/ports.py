"""What the services need from the world around them, as Protocols that `net` fulfils."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from sipengine.sip.flow import Flow
from sipengine.sip.next_hop import Located, NextHop, Server
from sipengine.sip.sdp.answering import Agreed


class Asker(Protocol):
    """Whoever asked where the servers of a next hop are."""

    def on_located(self, located: Located, now: float) -> None: ...


REACHABLE: Final = frozenset({"UDP", "TCP", "TLS"})
"""Transports by which we can begin; a WebSocket's client must come to us (RFC 7118 §5.3)."""


class Flows(Protocol):
    """Finds the way to a peer; never blocks and never fails at once.

    What goes wrong later (no such host, connection refused, reset) comes back by
    `Core.flow_failed(flow, now)`.
    """

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        """The flow to `host:port` (port 0: the transport's default) over UDP, TCP or TLS.

        An open connection to that address is used again; else a flow is returned whose
        connection is made by the first send. A host name is resolved by then, as an address
        only: use `locate` for what RFC 3263 says of names. Over TLS the peer must prove to be
        `host` (RFC 5922 §7.3). For WS and WSS the flow fails when it is used.
        """
        ...

    def locate(self, hop: NextHop, seed: str, asker: Asker) -> None:
        """Find the servers of `hop` (RFC 3263) and tell `asker`, later and exactly once.

        Among servers of equal priority the lot decides, the same for the same `seed`.
        """
        ...

    def flow_at(self, server: Server) -> Flow:
        """As `flow_to`, for a server that `locate` found; over TLS it must prove to be `server.name`."""
        ...

    def stream_beside(self, flow: Flow) -> Flow:
        """The flow over TCP to where a UDP flow goes (§18.1.1), given up within 2 s if nobody takes it."""
        ...

    def close(self, flow: Flow) -> None:
        """Close a connection (a hostile stream); nothing for UDP."""
        ...


class Sound(Protocol):
    """One RTP endpoint of ours (RFC 3550), open until `close`."""

    @property
    def address(self) -> tuple[str, int]:
        """What our session description says: where packets are to be sent to us."""
        ...

    def connect(self, agreed: Agreed) -> None:
        """What was agreed, the first time or anew: packets may flow from now on."""
        ...

    def close(self) -> None:
        """Stop and give the port back; nothing is told after it."""
        ...


class Media(Protocol):
    """Makes RTP endpoints."""

    def open(
        self, program: str, host: str, signalling: str, ended: Callable[[str, float], None]
    ) -> Sound | None:
        """An endpoint that plays `program` (`services.feature_codes`), None if no port is free.

        `host` is the address of ours that the peer is told, `signalling` where its SIP messages
        come from. `ended(why, now)` is told
        when nothing was received for too long or the program is over; `why` is a clause.
        """
        ...


class NoMedia:
    """A server without RTP ports."""

    def open(
        self, program: str, host: str, signalling: str, ended: Callable[[str, float], None]
    ) -> Sound | None:
        return None


ANY_INSTANCE: Final = -1

OFFER: Final = "offer"
ANSWER: Final = "answer"
DELETE: Final = "delete"
QUERY: Final = "query"
PLAY_KEY: Final = "play DTMF"

TO_RTP: Final = "RTP/AVP"
TO_SRTP: Final = "RTP/SAVP"
TO_WEB: Final = "UDP/TLS/RTP/SAVPF"


@dataclass(frozen=True, slots=True)
class MediaRequest:
    """One command to a media gateway, about the call it knows as `name`.

    `instance` is the one that has the call, `ANY_INSTANCE` for a call that none has yet.
    `protocol` is what the receiver of the rewritten description speaks, one of the three above;
    `signalled_from` the host that the sender of `sdp` signals from. To play: the event `code` of a key
    and its `duration` in milliseconds.
    """

    command: str
    instance: int
    name: str
    from_tag: str
    to_tag: str = ""
    sdp: str = ""
    protocol: str = ""
    signalled_from: str = ""
    code: int = 0
    duration: int = 0


@dataclass(frozen=True, slots=True)
class MediaAnswer:
    """What became of it.

    Where `ok` is false, `why` is a clause for the log and `status` what a caller may be told: 488
    where the description cannot be served, 503 where the gateway cannot. `figures` are the sides'
    as JSON, "" for none; `silent` is "caller" or "callee" if nothing comes from there, `gone`
    the same of sides that were there and have lost their connection. `faulty` is the side whose
    media can never come, for the reason `fault` (`services.media.lost_gateway`); `waits` that of one
    may yet come.
    """

    ok: bool
    instance: int
    sdp: str = ""
    why: str = ""
    status: int = 0
    figures: str = ""
    silent: str = ""
    gone: str = ""
    faulty: str = ""
    fault: str = ""
    waits: bool = False


class MediaWaiter(Protocol):
    def on_media(self, answer: MediaAnswer, now: float) -> None: ...


class KeyListener(Protocol):
    def on_key(self, name: str, tag: str, code: int, duration: int, now: float) -> None:
        """The side `tag` of the call `name` pressed a key that the gateway may not send on."""
        ...


class MediaListener(KeyListener, Protocol):
    def on_gateway_lost(self, instance: int, now: float) -> None:
        """It answers no more, or is another process than before: its calls are gone, or may be."""
        ...


class MediaPlane(Protocol):
    """The media gateways. `ask` never blocks; the answer comes by `waiter.on_media`, later and once,
    within a few seconds, also when no gateway lives.
    """

    def ask(self, request: MediaRequest, waiter: MediaWaiter | None) -> None: ...

    def choose(self) -> int:
        """The instance for the next call, below 0 if none lives."""
        ...

    def listen(self, listener: MediaListener) -> None:
        """Tell this one of pressed keys and lost gateways from now on."""
        ...

    def near(self, instance: int) -> str:
        """The address of ours that this instance can send to, "" if that is not known."""
        ...
