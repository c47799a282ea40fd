"""The UDP sockets of an engine of several processes: one port, a socket for each, and the kernel's filter.

They are opened before anything starts, handed down, and kept open as long as the supervisor lives: the
filter names sockets by their place, and when one closes, the last takes its place. What comes while
a process restarts waits in its socket.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections.abc import Callable
from typing import Final

from pbx.supervisor.ports import Port, trouble
from sipengine.net.addresses import both_families
from sipengine.steering import REACHES, Instruction, program

_SO_ATTACH_REUSEPORT_CBPF: Final = 51  # asm-generic/socket.h


class SharedPort:
    """`port` of each address of `binds`, with `count` sockets there.

    Raises `PortTrouble` if one is taken, with nothing left open.
    """

    def __init__(
        self, binds: tuple[str, ...], port: Port, count: int, say: Callable[[str], None]
    ) -> None:
        """`say` is told if the kernel takes no filter: then the processes hand messages over."""
        self._groups: dict[str, list[socket.socket]] = {}
        try:
            for host in both_families(binds):
                group = self._groups[host] = []
                _open(host, port, count, group)
            for group in self._groups.values():
                if why := steer(group):
                    say(f"The kernel does not steer messages to the engine's processes: {why}")
                    return
        except BaseException:
            self.close()
            raise

    def descriptors(self, number: int) -> dict[str, int]:
        """Address -> the socket there of process `number`."""
        return {host: group[number].fileno() for host, group in self._groups.items()}

    def close(self) -> None:
        for group in self._groups.values():
            for opened in group:
                opened.close()


def _open(host: str, port: Port, count: int, group: list[socket.socket]) -> None:
    """Bind `count` sockets, in the order of the filter's numbers."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in range(count):
        opened = socket.socket(family, socket.SOCK_DGRAM)
        group.append(opened)
        try:
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if number:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            opened.bind((host, port.number))
            # The first is bound without: a port that others share among them is taken all the same.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        except OSError as error:
            raise trouble(host, port, error) from error


def steer(group: list[socket.socket]) -> str:
    """Have the kernel choose among these sockets; returns why it does not, "" if it does."""
    for reach in REACHES:
        try:
            attach(group[0], program(len(group), *reach))
        except OSError as error:
            if error.errno != errno.ENOMEM:
                return error.strerror or str(error)
        else:
            return ""
    return "it has no room for a filter (net.core.optmem_max)"


def attach(member: socket.socket, filter_: list[Instruction]) -> None:
    """Make `filter_` choose the socket in the group of `member`. Raises OSError if the kernel refuses it."""
    packed = b"".join(instruction.packed() for instruction in filter_)
    text = ctypes.create_string_buffer(packed, len(packed))
    described = struct.pack("HP", len(filter_), ctypes.addressof(text))  # struct sock_fprog
    member.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, described)
