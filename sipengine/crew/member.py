"""A worker's end: its one stream to the owner, made again whenever it is lost."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from sipengine.crew.frames import Frame, Hello
from sipengine.crew.handlers import NOBODY, F, Handlers, set_handler
from sipengine.crew.stream import Stream

RETRY_S: Final = 0.1
"""To find a socket that nobody listens at costs some microseconds; an owner that was killed is back after
one or two seconds."""


class Member:
    """Worker `number` of `count` processes; the owner listens at `path`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        path: Path,
        number: int,
        count: int,
        after: Callable[[float], None],
    ) -> None:
        """`after(now)` is called when frames were taken: the endpoint's drain."""
        self._loop = loop
        self._path = path
        self._hello = Hello(number, count, os.getpid())
        self._after = after
        self._handlers: Handlers = {}
        self._on_join: list[Callable[[], None]] = []
        self._on_leave: list[Callable[[], None]] = []
        self._stream: Stream | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._log = structlog.get_logger()
        self.losses = 0

    # ------------------------------------------------------------------ WorkerEnd

    def on(self, kind: type[F], handle: Callable[[F], None]) -> None:
        """Have `handle(frame)` take all frames of this kind."""
        set_handler(self._handlers, kind, handle)

    def on_join(self, joined: Callable[[], None]) -> None:
        """Call `joined()` when the owner is there: what it must know is to be told."""
        self._on_join.append(joined)

    def on_leave(self, left: Callable[[], None]) -> None:
        self._on_leave.append(left)

    @property
    def joined(self) -> bool:
        return self._stream is not None

    def tell(self, frame: Frame) -> None:
        """Tell the owner; nothing while it is not there."""
        if self._stream is not None:
            self._stream.tell(frame)

    def read(self) -> None:
        """Take what the owner has told, before a message is read that may be later."""
        if self._stream is not None:
            self._stream.read()

    # ------------------------------------------------------------------ life

    def open(self) -> None:
        """Join, now or as soon as the owner is there."""
        self._retry = None
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(str(self._path))
        except OSError:  # it is not there, or its list of who knocks is full
            sock.close()
            self._retry = self._loop.call_later(RETRY_S, self.open)
            return
        self._stream = Stream(self._loop, sock, self._take, self._after, self._lost)
        self._stream.tell(self._hello)
        self._log.info("joined the engine", number=self._hello.number)
        for joined in self._on_join:
            joined()

    def close(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._stream is not None:
            self._stream.flush()
            self._stream.close()
            self._stream = None

    def _take(self, frame: Frame) -> None:
        handle = self._handlers.get(type(frame))
        if handle is None:
            raise ValueError(f"{NOBODY} {type(frame).__name__}")
        handle(frame)

    def _lost(self, why: str) -> None:
        self._stream = None
        self.losses += 1
        self._log.warning("the engine's first process is lost", why=why)
        for left in self._on_leave:
            left()
        self._retry = self._loop.call_later(RETRY_S, self.open)

    def counters(self) -> dict[str, int]:
        return {"crew_losses": self.losses}
