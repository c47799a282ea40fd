"""What the transports and the endpoint know of each other."""

from __future__ import annotations

from typing import Protocol

from sipengine.sip.flow import Flow

Address = tuple[str, int]


class NetFlow(Flow):
    """A flow with a socket behind it."""

    __slots__ = ()

    def send(self, data: bytes) -> None:
        """Send one message, or keep it until it can be sent. Never raises, never blocks.

        UDP sends at once; a connection gathers what one drain gives it and sends it in one piece.
        """
        raise NotImplementedError


class ConnectedFlow(NetFlow):
    """A flow of a connection, whose writes are gathered until `flush`."""

    __slots__ = ()

    def flush(self) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """Close once everything is sent."""
        raise NotImplementedError


class Receiver(Protocol):
    """What a transport hands messages to: the endpoint."""

    dirty: list[ConnectedFlow]
    """Connections that have something to flush."""
    finishing: list[ConnectedFlow]
    """Connections to close when everything is flushed."""
    failed: list[Flow]
    """Flows that broke; told to the core at the end of the drain."""

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take one message. Call `drain` after the last of a wake-up."""
        ...

    def drain(self, now: float) -> None:
        """Send what the core wants sent and see to its timer and its facts."""
        ...
