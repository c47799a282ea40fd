"""/etc/hosts: names that the operator of this machine has settled (hosts(5))."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path
from typing import Final

LARGEST: Final = 1024 * 1024
"""Bytes read at most: somewhat over 20,000 names."""
LOOK_AGAIN_S: Final = 5.0
"""How long a change of the file may go unnoticed."""


class HostsFile:
    """`addresses(name, family)`; the file is read again when it has changed."""

    def __init__(self, path: Path = Path("/etc/hosts")) -> None:
        self._path = path
        self._names: dict[str, list[str]] = {}
        self._stamp: tuple[int, int] = (0, 0)
        self._look_at = 0.0

    def addresses(self, name: str, now: float) -> list[str]:
        """The numeric addresses of a name, of both families; [] if it is not in the file."""
        if now >= self._look_at:
            self._look_at = now + LOOK_AGAIN_S
            self._look()
        return self._names.get(name.lower(), [])

    def _look(self) -> None:
        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return
            with self._path.open("rb") as file:
                text = file.read(LARGEST).decode("utf-8", "replace")
        except OSError:  # no such file: then it settles nothing
            self._names, self._stamp = {}, (0, 0)
            return
        self._stamp = stamp
        self._names = {}
        for line in text.splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            if not family_of(address):
                continue
            for name in names:
                known = self._names.setdefault(name.lower().rstrip("."), [])
                if address not in known:
                    known.append(address)


@lru_cache(maxsize=4096)
def family_of(host: str) -> int:
    """AF_INET or AF_INET6 if `host` is a numeric address, else 0."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return family
    return 0
