"""What the services need from the world around them, as Protocols that `net` fulfils."""

from __future__ import annotations

from typing import Final, Protocol

from sipengine.sip.flow import Flow

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
        connection is made by the first send. A host name is resolved by then. Over TLS the peer
        must prove to be `host` (RFC 5922 §7.3). For WS and WSS the flow fails when it is used.
        """
        ...

    def close(self, flow: Flow) -> None:
        """Close a connection (a hostile stream); nothing for UDP."""
        ...


class Ids(Protocol):
    """Randomness, injected so that tests choose it."""

    def random_bytes(self, count: int) -> bytes: ...
