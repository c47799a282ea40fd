"""A flow: the connection or 5-tuple by which a peer is reached (RFC 5626 §2.1)."""

from __future__ import annotations

from typing import Final, Protocol

RELIABLE: Final = frozenset({"TCP", "TLS", "WS", "WSS"})
STREAMS: Final = frozenset({"TCP", "TLS"})
"""Where Content-Length ends a message (§18.3); a WebSocket frames it (RFC 7118 §5.2.4)."""
SECURE: Final = frozenset({"TLS", "WSS"})


class Failing(Protocol):
    """Something that waits for an answer on a flow and must hear when the flow fails."""

    def fail(self, now: float) -> None: ...


class Flow:
    """Where bytes came from and where bytes go. The shell (`net`) makes and owns them.

    `transport` is UDP, TCP, TLS, WS or WSS (capitals, as in Via), `reliable` whether it retransmits
    by itself, `stream` whether messages follow each other without other framing than their own
    length, `local` and `remote` are (host, port). `open` turns False when a connection has gone; a UDP
    flow stays open. Two flows are the same only if they are one object.
    """

    __slots__ = (
        "__weakref__",
        "account",
        "clients",
        "local",
        "open",
        "packed",
        "reliable",
        "remote",
        "route",
        "stream",
        "transport",
        "via",
    )

    def __init__(self, transport: str, local: tuple[str, int], remote: tuple[str, int]) -> None:
        self.transport = transport
        self.reliable = transport in RELIABLE
        self.stream = transport in STREAMS
        self.local = local
        self.remote = remote
        self.open = True
        self.clients: set[Failing] = set()  # client transactions that wait for an answer on it
        self.account = ""  # whose password was right on it last
        self.packed = ""  # how services.proxy.record_route writes it, once it has
        # Texts that services.own_addresses makes once: the top Via up to sent-by, the Record-Route
        # up to its note.
        self.via = ""
        self.route = ""

    def __repr__(self) -> str:
        return f"<Flow {self.transport} {self.remote[0]}:{self.remote[1]}>"
