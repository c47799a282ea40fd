"""What the transports and the endpoint know of each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sized
from typing import Protocol

from sipengine.net.load import Load
from sipengine.sip.flow import Flow

Address = tuple[str, int]


class NetFlow(Flow, ABC):
    """A flow with a socket behind it."""

    __slots__ = ()

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Send one message, or keep it until it can be sent. Never raises, never blocks.

        UDP sends at once; a connection gathers what one drain gives it and sends it in one piece.
        """


class ConnectedFlow(NetFlow):
    """A flow of a connection, whose writes are gathered until `flush`."""

    __slots__ = ()

    @abstractmethod
    def flush(self) -> None:
        """Send what was gathered, as far as the peer takes it."""

    @abstractmethod
    def finish(self) -> None:
        """Close once everything is sent."""


class Ways(Protocol):
    """The connections of an endpoint: TCP, TLS and WebSocket. `net.connections` are its own."""

    def open(self, transport: str, port: int) -> None:
        """Listen on `port` of all addresses. Raises OSError (port taken, no such address)."""
        ...

    def serve(self) -> None:
        """Begin to accept."""
        ...

    def pause(self) -> None:
        """Accept no more."""
        ...

    def close(self) -> None:
        """Close everything."""
        ...

    def flow(self, transport: str, host: str, port: int, address: str = "") -> NetFlow:
        """The open connection to that address, or one that the first send will make.

        `transport` is TCP or TLS. Over TLS the peer must prove to be `host` (RFC 5922 §7.3);
        `address` is where to find it, if that is known already.
        """
        ...

    def beside(self, host: str, port: int) -> NetFlow:
        """As `flow` over TCP to where a UDP flow goes: given up soon if nobody takes it."""
        ...

    def finish(self, flow: Flow) -> None:
        """Close this one once everything is sent, if it is one of these."""
        ...

    def sweep(self, now: float) -> None:
        """Close what has had its time. Once a second; the caller drains afterwards."""
        ...

    def counters(self) -> dict[str, int]: ...


class Gate(Protocol):
    """Who is not even listened to: `services.guard.guard.Guard`."""

    @property
    def shut(self) -> Sized:
        """Empty while nobody is shut out; the same object always."""
        ...

    def blocks(self, host: str, now: float) -> bool:
        """Whether to take nothing from this address. Ask only while `shut` is not empty."""
        ...

    def bad_stream(self, host: str, now: float) -> None:
        """A connection from there brought what is no SIP."""
        ...

    def sweep(self, now: float) -> None:
        """Once a second."""
        ...


class OpenGate:
    """Lets everybody in."""

    shut: tuple[str, ...] = ()

    def blocks(self, host: str, now: float) -> bool:
        return False

    def bad_stream(self, host: str, now: float) -> None:
        return

    def sweep(self, now: float) -> None:
        return


class Receiver(Protocol):
    """What a transport hands messages to: the endpoint."""

    load: Load
    """Told how much waits; at its highest level new requests are dropped unread."""
    gate: Gate
    """Whom to take nothing from: look before reading on, closing or accepting."""
    dirty: list[ConnectedFlow]
    """Connections that have something to flush."""
    finishing: list[ConnectedFlow]
    """Connections to close when everything is flushed."""
    failed: list[Flow]
    """Flows that broke; told to the core at the end of the drain."""

    bounced: Callable[[Address, Address], None] | None
    """Told (local, remote) of each datagram that bounced, where several processes share a port: the
    kernel tells any of them, whoever sent it (net/ipv4/udp.c, by the hash of the addresses)."""

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take one message. Call `drain` after the last of a wake-up."""
        ...

    def drain(self, now: float) -> None:
        """Send what the core wants sent and see to its timer and its facts."""
        ...
