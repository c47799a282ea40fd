"""Listening sockets of connections: accepting them, as many at once as is good for the others."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final

BACKLOG: Final = 1024
"""Phones that connect at the same moment, as after a power cut; the kernel caps it (somaxconn)."""

ACCEPTS: Final = 64
"""Connections accepted a wake-up, at some 30 µs each."""

ACCEPT_PAUSE_S: Final = 1.0
"""How long to accept nothing when the process is out of file descriptors."""

Accepted = Callable[[socket.socket, str, tuple[str, int]], None]
"""Called with a new connection, its transport, and the address it came from."""


class Listeners:
    """Sockets that listen for TCP, TLS and WS, each kind on its own port."""

    def __init__(self, loop: asyncio.AbstractEventLoop, accepted: Accepted) -> None:
        self._loop = loop
        self._accepted = accepted
        self._transports: dict[socket.socket, str] = {}
        self.errors = 0

    def open(self, transport: str, host: str, port: int) -> None:
        """Bind and listen. Raises OSError (port taken, no such address)."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        self._transports[listener] = transport
        listener.setblocking(False)
        # On a listening TCP socket this only skips the wait for old connections' last
        # packets (TIME_WAIT) after a restart; a second listener is still refused.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)

    def serve(self) -> None:
        for listener in self._transports:
            self._loop.add_reader(listener.fileno(), self.acceptable, listener)

    def pause(self) -> None:
        """Accept no more; what is open stays."""
        for listener in self._transports:
            self._loop.remove_reader(listener.fileno())

    def close(self) -> None:
        for listener in self._transports:
            if listener.fileno() >= 0:
                self._loop.remove_reader(listener.fileno())
                listener.close()

    def acceptable(self, listener: socket.socket) -> None:
        """Accept what waits at one socket, at most ACCEPTS."""
        for _ in range(ACCEPTS):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self.errors += 1
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    # The connection stays in the backlog and would wake us for ever.
                    self._loop.remove_reader(listener.fileno())
                    self._loop.call_later(ACCEPT_PAUSE_S, self._accept_again, listener)
                    return
                continue  # that peer gave up already
            self._accepted(sock, self._transports[listener], address[:2])

    def _accept_again(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.add_reader(listener.fileno(), self.acceptable, listener)
