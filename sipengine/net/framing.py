"""Cutting a byte stream into SIP messages by Content-Length (RFC 3261 §18.3), without any socket.

Between messages a peer may send empty lines (§7.5); two in a row are a keep-alive that wants an
answer (RFC 5626 §4.4.1). What can never become a message ends the stream: `fault` says why.
"""

from __future__ import annotations

import re
from typing import Final

from sipengine.sip.parser import MAX_HEAD, MAX_MESSAGE

HEAD_TOO_LARGE: Final = "header section too large"
MESSAGE_TOO_LARGE: Final = "message too large"
BROKEN_LENGTH: Final = "broken Content-Length"
NOT_SIP: Final = "not SIP"

_LENGTH: Final = re.compile(
    rb"\r\n(?:Content-Length|l)[ \t]*:((?:[^\r]|\r\n[ \t])*)\r\n(?![ \t])", re.IGNORECASE
)
_NEWLINES: Final = re.compile(rb"[\r\n]+")
_START_LINE: Final = re.compile(rb"[A-Za-z0-9.!%*_+`'~-]+(?:$|[ /][^\r]*)")
_USUAL: Final = b"\r\nContent-Length: "
_MAX_LINE_LOOK: Final = 8  # bytes that tell SIP from TLS, HTTP/2 or noise before the line is whole


class StreamFramer:
    """One stream's state. Call `feed`, then look at `pings` and `fault`."""

    __slots__ = ("_blank", "_need", "_rest", "fault", "pings")

    def __init__(self) -> None:
        self._rest = b""
        self._need = 0  # bytes that `_rest` must reach before another look is worth it
        self._blank = b""  # newlines since the last message that are not yet a whole ping
        self.pings = 0
        """CRLF CRLF keep-alives seen and not yet answered; whoever answers sets it to 0."""
        self.fault = ""
        """Why this stream cannot go on, once it cannot. The last frame is what to answer to."""

    @property
    def partial(self) -> bool:
        """Whether a message has begun and is not whole."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Take what the stream brought; return the messages that it completed, in order.

        With a fault, the last one may be the head alone (a body that is too large, a length that
        is no number) or the beginning of a head that never ends, so that it can be answered.
        """
        if self.fault:
            return []
        if self._rest:
            data = self._rest + data
            if len(data) < self._need:
                self._rest = data
                return []
        messages: list[bytes] = []
        start = 0
        size = len(data)
        self._need = 0
        while start < size:
            if data[start] in b"\r\n":
                start = self._skip_newlines(data, start)
                continue
            head_end = data.find(b"\r\n\r\n", start, start + MAX_HEAD)
            if head_end < 0:
                self._check_beginning(data, start, messages)
                break
            if data.find(b"SIP/", start, data.find(b"\r\n", start)) < 0:
                self.fault = NOT_SIP
                break
            body = head_end + 4
            length = _content_length(data, start, head_end)
            if length < 0 or body - start + length > MAX_MESSAGE:
                self.fault = BROKEN_LENGTH if length < 0 else MESSAGE_TOO_LARGE
                messages.append(data[start:body])
                break
            end = body + length
            if end > size:
                self._need = end - start
                break
            messages.append(data[start:end])
            self._blank = b""
            start = end
        self._rest = b"" if self.fault else data[start:]
        return messages

    def _skip_newlines(self, data: bytes, start: int) -> int:
        found = _NEWLINES.match(data, start)
        assert found is not None
        run = self._blank + found[0]
        self.pings += run.count(b"\r\n\r\n")
        self._blank = run[len(run) - len(run) % 4 :]
        return found.end()

    def _check_beginning(self, data: bytes, start: int, messages: list[bytes]) -> None:
        """Judge a head that has no end yet: is it too long, can it still become SIP?"""
        if len(data) - start >= MAX_HEAD:
            self.fault = HEAD_TOO_LARGE
            messages.append(data[start : start + MAX_HEAD])
            return
        line_end = data.find(b"\r\n", start)
        line = data[start:line_end] if line_end >= 0 else data[start : start + _MAX_LINE_LOOK]
        if _START_LINE.fullmatch(line) is None or (line_end >= 0 and b"SIP/" not in line):
            self.fault = NOT_SIP


def _content_length(data: bytes, start: int, head_end: int) -> int:
    """The length that the head names, 0 if it names none (the core refuses it), -1 if it is broken."""
    at = data.find(_USUAL, start, head_end)
    if at >= 0:
        at += len(_USUAL)
        digits = data[at : data.find(b"\r\n", at)]
        if digits.isdigit() and len(digits) < 10:
            return int(digits)
    found = _LENGTH.search(data, start, head_end + 2)
    if found is None:
        return 0
    digits = found[1].strip()
    return int(digits) if digits.isdigit() and len(digits) < 10 else -1
