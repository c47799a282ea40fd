"""A network cable between a client and a server over TCP, which a test may pull out.

While it is out nothing passes and nothing closes, as after a change of the network or in sleep: both
sides have a connection that is dead without their being told.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

_PIECE = 65_536
_LOOK_S = 0.1
"""How often what waits looks whether the cable is in again, or gone for good."""


class Cable:
    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._in = threading.Event()
        self._in.set()
        self._over = threading.Event()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def pull_out(self) -> None:
        """From now on nothing passes; connections that are made meanwhile are not answered."""
        self._in.clear()

    def put_in(self) -> None:
        """New connections pass again; what was on its way on the old ones is lost, and they with it."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._in.set()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        self._sockets.append(client)
        self._wait()
        with suppress(OSError):
            server = socket.create_connection(self._server, timeout=5)
            server.settimeout(None)
            self._sockets.append(server)
            back = threading.Thread(target=self._pass, args=(server, client), daemon=True)
            back.start()
            self._pass(client, server)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                self._wait()
                target.sendall(piece)
        self._wait()  # an end does not get through either
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _wait(self) -> None:
        while not self._in.wait(_LOOK_S):
            if self._over.is_set():
                return
