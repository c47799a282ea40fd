"""The server side of rtpengine's ng protocol: datagrams of a cookie, a space and a bencoded dictionary.

A command that comes again with its cookie was lost on the way back: it gets the same answer and is
not done twice.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from time import monotonic
from typing import Any, Final

from sipengine.gateway.gateway import Gateway
from sipengine.media.bencode import decode, encode

MAX_COOKIE: Final = 128
MAX_ANSWERS: Final = 4096
"""Answers kept; at 300 commands a second a controller has 13 s to repeat itself."""

MAX_KEPT: Final = 16 * 1024 * 1024
"""Octets of all of them; an answer with a browser's description has some 2000."""

SLICE_S: Final = 0.005
"""For commands in one go, which with their usual length take a fraction of it; then voice has its turn."""
MAX_DATAGRAM: Final = 65_536
MAX_ANSWER: Final = 65_000
"""Octets; 65,507 fit an IPv4 datagram."""


class NgServer:
    def __init__(self, loop: asyncio.AbstractEventLoop, gateway: Gateway) -> None:
        self._loop = loop
        self._gateway = gateway
        self._answers: OrderedDict[tuple[Any, bytes], bytes] = OrderedDict()
        self._kept = 0
        self._socket: socket.socket | None = None
        self.port = 0
        self.broken = 0

    def open(self, host: str, port: int) -> None:
        """Raises `OSError`."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((host, port))
        self.port = self._socket.getsockname()[1]
        self._loop.add_reader(self._socket.fileno(), self._on_readable)

    def close(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _on_readable(self) -> None:
        until = monotonic() + SLICE_S
        while self._socket is not None and monotonic() < until:
            try:
                data, source = self._socket.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # a controller that has gone
                continue
            answer = self.answer(data, source)
            if answer:
                try:
                    self._socket.sendto(answer, source)
                except OSError:  # it asks again
                    continue

    def answer(self, data: bytes, source: Any) -> bytes:
        """The datagram to send back; b"" where not even a cookie can be read."""
        cookie, space, body = data.partition(b" ")
        if not space or not cookie or len(cookie) > MAX_COOKIE:
            self.broken += 1
            return b""
        key = source, cookie
        known = self._answers.get(key)
        if known is not None:
            return known
        try:
            request = decode(body)
            if not isinstance(request, dict):
                raise ValueError("no dictionary")
        except ValueError as error:
            self.broken += 1
            told = f"Could not decode the command: {error}"
            return cookie + b" " + encode({"result": "error", "error-reason": told})
        try:
            done = self._gateway.command(request)
        except Exception as error:  # noqa: BLE001 - it costs this command; unanswered, all calls
            told = "The media gateway has a defect; its log says more"
            done = {"result": "error", "error-reason": told}
            self._loop.call_exception_handler({"message": "a command failed", "exception": error})
        answer = cookie + b" " + encode({**done})
        if len(answer) > MAX_ANSWER:
            told = "The answer is too long for a datagram"
            answer = cookie + b" " + encode({"result": "error", "error-reason": told})
        self._keep(key, answer)
        return answer

    def _keep(self, key: tuple[Any, bytes], answer: bytes) -> None:
        self._answers[key] = answer
        self._kept += len(answer)
        while len(self._answers) > MAX_ANSWERS or self._kept > MAX_KEPT:
            self._kept -= len(self._answers.popitem(last=False)[1])
