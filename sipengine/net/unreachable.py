"""A way to somebody whom only he himself can open."""

from __future__ import annotations

from sipengine.net.flows import Address, NetFlow, Receiver


class UnreachableFlow(NetFlow):
    """Stands for the WebSocket of a client that is not connected (RFC 7118 §5.3): sending fails at once."""

    __slots__ = ("_receiver",)

    def __init__(self, transport: str, remote: Address, receiver: Receiver) -> None:
        super().__init__(transport, ("", 0), remote)
        self._receiver = receiver
        self.open = False

    def send(self, data: bytes) -> None:
        self._receiver.failed.append(self)
