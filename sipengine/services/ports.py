"""What the services need from the world around them, as Protocols that `net` fulfils."""

from __future__ import annotations

from typing import Protocol

from sipengine.sip.flow import Flow


class Flows(Protocol):
    """Finds the way to a peer; never blocks and never fails at once.

    What goes wrong later (no such host, connection refused, reset) comes back by
    `Core.flow_failed(flow, now)`.
    """

    def flow_to(self, transport: str, host: str, port: int) -> Flow:
        """The flow to `host:port` (port 0: the transport's default) over UDP or TCP.

        An open connection to that address is used again; else a flow is returned whose
        connection is made by the first send. A host name is resolved by then.
        """
        ...

    def close(self, flow: Flow) -> None:
        """Close a connection (a hostile stream); nothing for UDP."""
        ...


class Ids(Protocol):
    """Randomness, injected so that tests choose it."""

    def random_bytes(self, count: int) -> bytes: ...
