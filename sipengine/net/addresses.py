"""This machine's own addresses, asked of the kernel (rtnetlink(7)), and which of them are bound."""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

_RTM_GETADDR: Final = 22
_RTM_NEWADDR: Final = 20
_NLMSG_DONE: Final = 3
_REQUEST_DUMP: Final = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr
_ADDRESS: Final = struct.Struct("=BBBBI")  # ifaddrmsg
_ATTRIBUTE: Final = struct.Struct("=HH")  # rtattr
_MOST: Final = 1000  # answers read at most: a host with more addresses than that is no PBX


def local_addresses(bind: str) -> list[str]:
    """The addresses at which a server bound to `bind` is reached: all of ours for a wildcard.

    Without netlink (some sandboxes) a wildcard gives the loopback addresses only.
    """
    if bind not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return [bind]
    families = (socket.AF_INET,) if bind == "0.0.0.0" else (socket.AF_INET, socket.AF_INET6)  # noqa: S104
    try:
        found = [address for family, address in _ask() if family in families]
    except OSError:
        found = []
    loopback = ["127.0.0.1"] if bind == "0.0.0.0" else ["127.0.0.1", "::1"]  # noqa: S104
    return list(dict.fromkeys(found + loopback))


def _ask() -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.settimeout(2.0)
        size = _HEADER.size + _ADDRESS.size
        kernel.send(
            _HEADER.pack(size, _RTM_GETADDR, _REQUEST_DUMP, 1, 0) + _ADDRESS.pack(0, 0, 0, 0, 0)
        )
        for _ in range(_MOST):
            data = kernel.recv(65_536)
            at = 0
            while at + _HEADER.size <= len(data):
                length, kind, *_ = _HEADER.unpack_from(data, at)
                if kind != _RTM_NEWADDR or length < size:
                    if kind != _NLMSG_DONE:
                        raise OSError(0, os.strerror(0))
                    return found
                found += _addresses(data[at + _HEADER.size : at + length])
                at += (length + 3) & ~3
    return found


def _addresses(message: bytes) -> list[tuple[int, str]]:
    family = message[0]
    attributes: dict[int, bytes] = {}
    at = _ADDRESS.size
    while at + _ATTRIBUTE.size <= len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, at)
        if length < _ATTRIBUTE.size:
            break
        attributes[kind] = message[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    # On a point-to-point link IFA_ADDRESS is the peer's; IFA_LOCAL is ours.
    raw = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
    if raw is None or family not in (socket.AF_INET, socket.AF_INET6):
        return []
    return [(family, socket.inet_ntop(family, raw))]


def both_families(binds: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses to bind sockets to: `::` stands for the wildcards of both families."""
    hosts: list[str] = []
    for bind in binds:
        hosts += ["::", "0.0.0.0"] if bind == "::" else [bind]  # noqa: S104
    return tuple(dict.fromkeys(hosts))
