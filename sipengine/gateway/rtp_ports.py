"""Pairs of UDP ports for RTP and RTCP (RFC 3550 §11), taken from a range and given back."""

from __future__ import annotations

import secrets
import socket
from typing import Final

PHONE_BUFFER: Final = 24 * 1024
"""Octets the kernel keeps for a phone's socket, of which it takes 768 for a packet of G.711 and grants
twice what is asked: 64 packets, a bit more than a second. More would only be played too late."""

SHARED_BUFFER: Final = 3 * 1024 * 1024
"""The same for the port that all browsers share: a second of 160 calls. Without the right to exceed it
the kernel's net.core.rmem_max is the limit (docs/operations.md)."""

LONGEST_PACKET: Final = 1500
"""Octets of one packet that is taken from a socket, as libsrtp's buffers are; what is longer is cut, and
then proves no key."""

EXPEDITED: Final = 46 << 2
"""Voice and its reports ask routers for expedited forwarding, as phones do (RFC 4594 §4.1, RFC 8837 §5)."""

_SO_RCVBUFFORCE: Final = 33  # Linux; the socket module has no name for it

_TRIES: Final = 200
"""Pairs that others use, tried before giving up: the range is theirs too."""


class NoPort(Exception):
    """Every port that was tried is in use."""


class RtpPorts:
    """The pairs (even, odd) from `first` to `last`. The next is the one after the last given, so that
    a port rests as long as possible before a late packet could meet another call on it.
    """

    def __init__(self, first: int, last: int) -> None:
        self._first = first + first % 2
        self._pairs = max(0, (last - self._first + 1) // 2)
        self._next = secrets.randbelow(self._pairs) if self._pairs else 0
        self._taken: set[int] = set()  # their even ports

    @property
    def taken(self) -> int:
        return len(self._taken)

    @property
    def pairs(self) -> int:
        return self._pairs

    def take(self, host: str) -> tuple[socket.socket, socket.socket]:
        """Two bound sockets, for RTP and RTCP. Raises `NoPort`."""
        tries = 0
        for _ in range(self._pairs):
            port = self._first + 2 * self._next
            self._next = (self._next + 1) % self._pairs
            if port in self._taken:
                continue
            try:
                pair = _bound(host, port)
            except OSError as error:  # no descriptor is left, or the address has gone
                raise NoPort(f"no free pair of ports can be opened: {error.strerror}") from error
            if pair is not None:
                self._taken.add(port)
                return pair
            tries += 1
            if tries >= _TRIES:
                break
        raise NoPort("no free pair of ports in PBX_RTP_PORTS")

    def give_back(self, pair: tuple[socket.socket, socket.socket]) -> None:
        self._taken.discard(pair[0].getsockname()[1])
        for each in pair:
            each.close()


def _bound(host: str, port: int) -> tuple[socket.socket, socket.socket] | None:
    rtp = bind_udp(host, port)
    if rtp is None:
        return None
    rtcp = None
    try:
        rtcp = bind_udp(host, port + 1)
    finally:
        if rtcp is None:
            rtp.close()
    return None if rtcp is None else (rtp, rtcp)


def bind_udp(host: str, port: int, room: int = PHONE_BUFFER) -> socket.socket | None:
    """A non-blocking UDP socket, None if the port is in use. Raises `OSError` for anything else."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _make_room(made, room)
        made.setblocking(False)
        _mark(made, family)
        made.bind((host, port))
    except OSError as error:
        made.close()
        if error.errno in (98, 13):  # EADDRINUSE, EACCES
            return None
        raise
    return made


def _mark(made: socket.socket, family: int) -> None:
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, EXPEDITED)
    else:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED)


def _make_room(made: socket.socket, octets: int) -> None:
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, octets)
    except OSError:  # not privileged: as much as everybody may have
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
