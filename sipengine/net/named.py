"""UDP to a host name: the datagrams wait for its address."""

from __future__ import annotations

from time import monotonic
from typing import Final

from sipengine.net.flows import NetFlow, Receiver
from sipengine.net.resolver import Resolver
from sipengine.net.udp_sockets import UdpSockets

WAITING_DATAGRAMS: Final = 16
"""While a name is looked up: one request and its retransmissions, several times over."""


class NamedUdpFlow(NetFlow):
    """A flow whose remote host is a name. The name is asked for again as often as it lives."""

    __slots__ = ("_asking", "_receiver", "_resolver", "_sockets", "_waiting")

    def __init__(
        self,
        sockets: UdpSockets,
        resolver: Resolver,
        receiver: Receiver,
        host: str,
        port: int,
    ) -> None:
        super().__init__("UDP", sockets.default.local, (host, port))
        self._sockets = sockets
        self._resolver = resolver
        self._receiver = receiver
        self._waiting: list[bytes] = []
        self._asking = False

    def send(self, data: bytes) -> None:
        if len(self._waiting) < WAITING_DATAGRAMS:
            self._waiting.append(data)
        if not self._asking:
            self._asking = True
            self._resolver.lookup(self.remote[0], self._answered)

    def _answered(self, address: str) -> None:
        self._asking = False
        waiting = self._waiting
        self._waiting = []
        if not address:
            self._receiver.failed.append(self)
        else:
            flow = self._sockets.flow(address, self.remote[1])
            for data in waiting:
                flow.send(data)
        self._receiver.drain(monotonic())
