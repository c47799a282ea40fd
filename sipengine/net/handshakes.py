"""Handshakes take turns: each costs as much as ten messages, and after a power cut all come at once."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

AT_ONCE: Final = 8
"""Steps of handshakes in one go, at some 0.7 ms each: messages wait 6 ms at most."""


class Handshaking(Protocol):
    def shake(self) -> None:
        """Do the next step of the handshake; nothing if the connection has gone meanwhile."""
        ...


class Handshakes:
    """A queue of flows whose handshake can go on; messages of others are served in between."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Handshaking] = deque()
        self._called = False

    def later(self, flow: Handshaking) -> None:
        self._waiting.append(flow)
        if not self._called:
            self._called = True
            self._loop.call_soon(self._serve)

    def _serve(self) -> None:
        self._called = False
        for _ in range(min(AT_ONCE, len(self._waiting))):
            self._waiting.popleft().shake()
        if self._waiting and not self._called:
            self._called = True
            self._loop.call_soon(self._serve)
