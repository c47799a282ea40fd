"""The owner's end: every worker's stream, and what is told over it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from sipengine.crew.frames import Frame, Hello, Passed
from sipengine.crew.handlers import NOBODY, F, Handlers, set_handler
from sipengine.crew.stream import Stream

KEPT: Final = 1_000
"""Messages that wait for a worker that is not there; with a thousand octets each 1 MB. Only those that came
over connections matter: over UDP their senders repeat them."""

KEPT_S: Final = 8.0
"""A worker is back after one or two seconds; later than this its callers have given up (Timer B is 32 s, but
people wait for a ringing tone)."""


class Hub:
    """Listens at `path` for the workers 1 to `count` - 1.

    The stream of a worker that comes anew takes the place of its old one.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        path: Path,
        count: int,
        after: Callable[[float], None],
    ) -> None:
        """`after(now)` is called when frames were taken: the endpoint's drain."""
        self._loop = loop
        self._path = path
        self._count = count
        self._after = after
        self._handlers: Handlers = {}
        self._joined: list[Callable[[int], None]] = []
        self._left: list[Callable[[int], None]] = []
        self._streams: dict[int, Stream] = {}
        self._strangers: set[Stream] = set()
        self._kept: dict[int, deque[tuple[float, Passed]]] = {}
        self._listening: socket.socket | None = None
        self._log = structlog.get_logger()
        self.dropped = 0

    # ------------------------------------------------------------------ OwnerEnd

    def on(self, kind: type[F], handle: Callable[[int, F], None]) -> None:
        """Have `handle(number, frame)` take all frames of this kind."""
        set_handler(self._handlers, kind, handle)

    def on_join(self, joined: Callable[[int], None]) -> None:
        """Call `joined(number)` when a worker is there: what it must know is to be told."""
        self._joined.append(joined)

    def on_leave(self, left: Callable[[int], None]) -> None:
        self._left.append(left)

    @property
    def present(self) -> frozenset[int]:
        return frozenset(self._streams)

    def tell(self, number: int, frame: Frame) -> None:
        """Tell one worker. To one that is not there only messages are kept, for a moment."""
        stream = self._streams.get(number)
        if stream is not None:
            stream.tell(frame)
        elif isinstance(frame, Passed):
            kept = self._kept.setdefault(number, deque())
            if len(kept) >= KEPT:
                kept.popleft()
                self.dropped += 1
            kept.append((self._loop.time(), frame))

    def tell_all(self, frame: Frame) -> None:
        for stream in list(self._streams.values()):
            stream.tell(frame)

    def stream(self, number: int) -> Stream | None:
        """The stream of a worker that is there: for who has much to tell and waits in between."""
        return self._streams.get(number)

    def flush(self) -> None:
        """Send now what was told: a worker is to know it before the answer that tells of it is out."""
        for stream in list(self._streams.values()):
            stream.flush()

    # ------------------------------------------------------------------ life

    def open(self) -> None:
        """Listen. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()  # of a process that was killed; the journal's lock says that it has ended
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(str(self._path))
            os.chmod(self._path, 0o600)
            listening.listen(self._count)
        except OSError:
            listening.close()
            raise
        listening.setblocking(False)
        self._listening = listening
        self._loop.add_reader(listening.fileno(), self._accept)

    def close(self) -> None:
        if self._listening is not None:
            self._loop.remove_reader(self._listening.fileno())
            self._listening.close()
            self._listening = None
            with contextlib.suppress(OSError):
                self._path.unlink()
        for stream in [*self._streams.values(), *self._strangers]:
            stream.flush()
            stream.close()
        self._streams.clear()
        self._strangers.clear()

    def _accept(self) -> None:
        assert self._listening is not None
        try:
            sock, _ = self._listening.accept()
        except OSError:  # it has gone again
            return
        if len(self._strangers) >= self._count:
            sock.close()
            return
        stream: Stream | None = None

        def took(frame: Frame) -> None:
            assert stream is not None
            self._introduced(stream, frame)

        def ended(_why: str) -> None:
            if stream is not None:
                self._strangers.discard(stream)

        stream = Stream(self._loop, sock, took, self._after, ended)
        self._strangers.add(stream)

    def _introduced(self, stream: Stream, frame: Frame) -> None:
        """The first frame says who it is."""
        self._strangers.discard(stream)
        if not isinstance(frame, Hello) or not 0 < frame.number < self._count:
            self._log.warning("no worker of this engine", said=repr(frame)[:200])
            stream.close()
            return
        if frame.count != self._count:
            self._log.warning(
                "a worker of another number of processes", number=frame.number, count=frame.count
            )
            stream.close()
            return
        number = frame.number
        former = self._streams.pop(number, None)
        if former is not None:
            former.close()
            self._gone(number, "it came anew")
        stream.become(
            lambda frame: self._take(number, frame), lambda why: self._ended(number, stream, why)
        )
        self._streams[number] = stream
        self._log.info("worker joined", number=number, pid=frame.pid)
        for joined in self._joined:
            joined(number)
        oldest = self._loop.time() - KEPT_S
        for at, passed in self._kept.pop(number, ()):
            if at >= oldest:
                stream.tell(passed)
            else:
                self.dropped += 1

    def _take(self, number: int, frame: Frame) -> None:
        handle = self._handlers.get(type(frame))
        if handle is None:
            raise ValueError(f"{NOBODY} {type(frame).__name__}")
        handle(number, frame)

    def _ended(self, number: int, stream: Stream, why: str) -> None:
        if self._streams.get(number) is stream:
            del self._streams[number]
            self._gone(number, why)

    def _gone(self, number: int, why: str) -> None:
        self._log.warning("worker left", number=number, why=why)
        for left in self._left:
            left(number)

    def counters(self) -> dict[str, int]:
        return {
            "crew_processes_now": self._count,
            "crew_workers_now": len(self._streams),
            "crew_messages_dropped": self.dropped,
        }
