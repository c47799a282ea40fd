"""One stream of frames over a unix socket: read when told to, written after each round of the loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import monotonic
from typing import Final

import msgspec

from sipengine.crew.frames import MAX_FRAME, Frame, decode, encode

READ: Final = 256 * 1024
"""Octets at a time; what one round reads is worked off before sockets have their turn again."""

ROUNDS: Final = 4
"""Reads a wake-up: 1 MB, some thousand frames, at most 10 ms."""

UNSENT: Final = 32 * 1024 * 1024
"""Octets that may wait for the other end. More means that it does not read: the stream is given up, and
what the other end must know is told anew when it comes back."""


class Stream:
    """Frames in order, both ways, until `close`. `ended(why)` is told once, on the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        took: Callable[[Frame], None],
        after: Callable[[float], None],
        ended: Callable[[str], None],
    ) -> None:
        """`took(frame)` for each frame, `after(now)` once behind those of one wake-up."""
        sock.setblocking(False)
        self._loop = loop
        self._socket = sock
        self._took = took
        self._after = after
        self._ended = ended
        self._incoming = bytearray()
        self._unsent = bytearray()
        self._flushing = (
            False  # at the end of this round of the loop, or when the socket takes more
        )
        self._drained: Callable[[], None] | None = None
        self.open = True
        loop.add_reader(sock.fileno(), self.read)

    def become(self, took: Callable[[Frame], None], ended: Callable[[str], None]) -> None:
        """Hand frames and the end to others from now on: the other end has said who it is."""
        self._took, self._ended = took, ended

    @property
    def waiting(self) -> int:
        """Octets that the other end has not taken."""
        return len(self._unsent)

    # ------------------------------------------------------------------ writing

    def tell(self, frame: Frame) -> None:
        """Send a frame soon. Never blocks, never fails."""
        if not self.open:
            return
        self._unsent += encode(frame)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        if len(self._unsent) > UNSENT:
            self.close("it does not read what it is told")

    def when_drained(self, call: Callable[[], None]) -> None:
        """Call once when nothing waits any more: for who has much to tell."""
        self._drained = call
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def flush(self) -> None:
        """Send now what the socket takes: it is to be there before something that is sent another way."""
        if self.open and self._unsent:
            self._write()

    def _flush(self) -> None:
        if not self.open:
            return
        self._write()
        if not self.open:
            return
        if self._unsent:
            self._loop.add_writer(self._socket.fileno(), self._writable)
            return
        self._flushing = False
        if self._drained is not None:
            call, self._drained = self._drained, None
            call()

    def _writable(self) -> None:
        self._loop.remove_writer(self._socket.fileno())
        self._flush()

    def _write(self) -> None:
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            return
        except OSError as error:
            self.close(error.strerror or str(error))

    # ------------------------------------------------------------------ reading

    def read(self) -> None:
        """Take what is there. Also called before something that may be later than it is read."""
        if not self.open:
            return
        took = False
        try:
            for _ in range(ROUNDS):
                data = self._socket.recv(READ)
                if not data:
                    self.close("it has gone")
                    break
                self._incoming += data
                took = self._take_frames() or took
                if len(data) < READ or not self.open:
                    break
        except BlockingIOError:
            pass
        except OSError as error:
            self.close(error.strerror or str(error))
        finally:
            if took:
                self._after(monotonic())

    def _take_frames(self) -> bool:
        """Work off whole frames; a defect of ours in one costs that one."""
        incoming = self._incoming
        start, end = 0, len(incoming)
        try:
            while end - start >= 4 and self.open:
                size = int.from_bytes(incoming[start : start + 4], "big")
                if size > MAX_FRAME:
                    self.close("a frame is too long")
                    break
                if end - start - 4 < size:
                    break
                body = bytes(incoming[start + 4 : start + 4 + size])
                start += 4 + size
                try:
                    frame = decode(body)
                except msgspec.DecodeError as error:
                    self.close(f"a frame cannot be read: {error}")
                    break
                self._hand_over(frame)
        finally:
            del incoming[:start]
        return start > 0

    def _hand_over(self, frame: Frame) -> None:
        try:
            self._took(frame)
        except Exception as error:  # noqa: BLE001 - told to the loop as any defect in a callback
            self._loop.call_exception_handler(
                {"message": f"a frame ({type(frame).__name__}) was not taken", "exception": error}
            )

    def close(self, why: str = "") -> None:
        """End it; `why` is told to `ended` unless it is empty."""
        if not self.open:
            return
        self.open = False
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._unsent.clear()
        if why:
            self._ended(why)
