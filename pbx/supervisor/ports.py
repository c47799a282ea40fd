"""The ports of a PBX: looked at before anything starts, so that a taken one is told at once."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import Final

_BACKLOG: Final = 512  # connections that wait while the web part is replaced


@dataclass(frozen=True, slots=True)
class Port:
    """A port the PBX needs: the variable that sets it, its number and its kind."""

    variable: str
    number: int
    kind: socket.SocketKind

    @property
    def spoken(self) -> str:
        return "UDP" if self.kind == socket.SOCK_DGRAM else "TCP"


class PortTrouble(Exception):
    """A port cannot be listened on; the text says which and what to do."""


def listen(bind: str, port: Port) -> socket.socket:
    """A bound socket (TCP: listening already). Raises `PortTrouble`."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    opened = socket.socket(family, port.kind)
    try:
        if port.kind == socket.SOCK_STREAM:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `::` answers IPv4 too, as a name with both kinds of address makes people expect.
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        opened.bind((bind, port.number))
        if port.kind == socket.SOCK_STREAM:
            opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        raise trouble(bind, port, error) from error
    return opened


def check_free(bind: str, port: Port) -> None:
    """Raise `PortTrouble` if a part could not listen there."""
    listen(bind, port).close()


def trouble(bind: str, port: Port, error: OSError) -> PortTrouble:
    """What `error` means to who listens there."""
    return PortTrouble(_told(bind, port, error))


def _told(bind: str, port: Port, error: OSError) -> str:
    what = f"{port.variable}={port.number}: "
    match error.errno:
        case errno.EADDRINUSE:
            return what + (
                f"{port.spoken} port {port.number} is in use by another program; "
                f"stop that one or set {port.variable} to a free port"
            )
        case errno.EACCES:
            return what + f"this user may not listen on it; set {port.variable} to 1024 or higher"
        case errno.EADDRNOTAVAIL:
            return f"PBX_BIND={bind}: this machine has no such address; give one it has, or 0.0.0.0"
        case _:
            return what + f"cannot be listened on: {os.strerror(error.errno or 0)}"
