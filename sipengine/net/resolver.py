"""Host names to addresses, without ever holding up the loop.

`getaddrinfo` blocks, for tens of seconds when a name server is away. It runs on daemon threads of
its own, so that neither other blocking work nor the end of the process waits for it.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

TIMEOUT_S: Final = 5.0
"""A caller hears nothing meanwhile; a name that takes longer counts as not found."""

REMEMBERED: Final = 1024
FOUND_S: Final = 60.0
"""getaddrinfo does not tell a record's lifetime; a minute is what most dynamic names use."""
MISSING_S: Final = 5.0
"""So that each message to a wrong name does not ask again."""

LOOKUPS: Final = 16
"""Names asked for at once; more than these fail at once, for the name server is not keeping up."""

Answer = Callable[[str], None]
"""Called on the loop with an address, or "" if the name has none."""


class Resolver:
    """`lookup(host)` for addresses of the families that we have sockets for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, families: tuple[int, ...]) -> None:
        self._loop = loop
        self._families = families
        self._known: dict[str, tuple[float, str]] = {}  # host -> good until, address
        self._waiting: dict[str, list[Answer]] = {}
        self._threads = 0
        self.failures = 0

    def lookup(self, host: str, answer: Answer) -> None:
        """Call `answer` with the address of `host`, from the loop and never before this returns."""
        known = self._known.get(host)
        if known is not None and known[0] > monotonic():
            self._loop.call_soon(answer, known[1])
            return
        waiting = self._waiting.get(host)
        if waiting is not None:
            waiting.append(answer)
            return
        if self._threads >= LOOKUPS:
            self.failures += 1
            self._loop.call_soon(answer, "")
            return
        self._waiting[host] = [answer]
        self._threads += 1
        threading.Thread(
            target=self._ask, args=(host,), name=f"resolve {host}", daemon=True
        ).start()
        self._loop.call_later(TIMEOUT_S, self._answered, host, "")

    def _ask(self, host: str) -> None:
        address = ""
        try:
            for family, _, _, _, where in socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM):
                if family in self._families:
                    address = str(where[0])
                    break
        except (OSError, UnicodeError):  # UnicodeError: a label that is no host name
            address = ""
        try:
            self._loop.call_soon_threadsafe(self._returned, host, address)
        except RuntimeError:  # the loop has ended meanwhile; nobody wants to know any more
            return

    def _returned(self, host: str, address: str) -> None:
        self._threads -= 1
        self._answered(host, address)

    def _answered(self, host: str, address: str) -> None:
        waiting = self._waiting.pop(host, None)
        if waiting is None:  # the answer came after the timeout, or the timeout after the answer
            return
        if not address:
            self.failures += 1
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[host] = (monotonic() + (FOUND_S if address else MISSING_S), address)
        for answer in waiting:
            answer(address)


def family_of(host: str) -> int:
    """AF_INET or AF_INET6 if `host` is a numeric address, else 0."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return family
    return 0
