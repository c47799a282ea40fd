"""Several UDP sockets: which one a datagram leaves by."""

from __future__ import annotations

import socket
from typing import Final

from sipengine.net.flows import NetFlow
from sipengine.net.hosts_file import family_of
from sipengine.net.udp import UdpSocket
from sipengine.net.unreachable import UnreachableFlow

REMEMBERED: Final = 4_096
"""Destinations whose socket is known; asking the kernel costs 10 µs."""


class UdpSockets:
    """The UDP sockets of one port, one an address listened on."""

    def __init__(self, sockets: tuple[UdpSocket, ...]) -> None:
        self._of_family: dict[int, list[UdpSocket]] = {}
        for udp in sockets:
            self._of_family.setdefault(udp.family, []).append(udp)
        self.families = tuple(self._of_family)
        self.default = sockets[0]
        self._chosen: dict[str, UdpSocket] = {}

    def flow(self, host: str, port: int) -> NetFlow:
        """The flow to a numeric address; one that fails at once if no socket speaks its family."""
        sockets = self._of_family.get(family_of(host), [])
        if len(sockets) == 1:
            return sockets[0].flow(host, port)
        if not sockets:
            return UnreachableFlow("UDP", (host, port), self.default.receiver)
        return self._choose(sockets, host).flow(host, port)

    def flow_from(self, local: str, host: str, port: int) -> NetFlow:
        """As `flow`, from the socket at the address `local` if there is one."""
        for udp in self._of_family.get(family_of(host), []):
            if udp.local[0] == local:
                return udp.flow(host, port)
        return self.flow(host, port)

    def _choose(self, sockets: list[UdpSocket], host: str) -> UdpSocket:
        """The socket at the address that the route to `host` leaves by, else the first."""
        known = self._chosen.get(host)
        if known is None:
            if len(self._chosen) >= REMEMBERED:
                self._chosen.clear()
            source = source_towards(host)
            known = next((udp for udp in sockets if udp.local[0] == source), sockets[0])
            self._chosen[host] = known
        return known


def source_towards(host: str) -> str:
    """The own address from which the kernel would send to `host`, "" if there is no way."""
    # Connecting a UDP socket sends nothing; it asks the routing table.
    with socket.socket(family_of(host), socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])
