"""Whose a message is, where several processes are one engine (docs/decisions/0017-worker-processes.md)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sipengine.services.proxy.forwarding import split_response
from sipengine.services.ua.replacing import replaces_of
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.parser import parse
from sipengine.sip.via import MAGIC_COOKIE
from sipengine.steering import CALL_METHODS, MOST_PROCESSES, share_of

OWNER: Final = 0
"""The process that has all but calls."""

TRIES: Final = 512
"""To make a Call-ID of one of 16 processes: that none of so many is right happens once in 10^14."""

MOST_REPLACING: Final = 1_000
"""INVITEs that are remembered for their CANCEL and ACK, 200 octets each: a hundred a second for as long as
one is answered. Beyond it the oldest is forgotten: its CANCEL is answered 481, its answer is repeated."""

_LONGEST_METHOD: Final = 8  # with the space behind it
_METHODS: Final = frozenset(method.encode() for method in CALL_METHODS)
_STRIPPED: Final = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0"  # what `str.strip` takes away
_COOKIE: Final = MAGIC_COOKIE.encode()
_FOLD: Final = re.compile(rb"[ \t]*\r\n[ \t]+")
_BRANCH: Final = re.compile(rb";[ \t]*branch[ \t]*=[ \t]*([^;,\s]+)", re.IGNORECASE)
_HOP_BY_HOP: Final = frozenset((b"ACK", b"CANCEL"))
_CALL_ID: Final = re.compile(rb"\r\n(?:call-id|i)[ \t]*:([^\r\n]*)", re.IGNORECASE)


class Share:
    """What process `number` of `count` has of an engine's messages.

    `own_mark` begins the tags of our own user agent, behind it is the number of its process, one hex
    digit. A request to one is that process's, whatever its method, and so is an INVITE that takes the
    place of a dialog with one (RFC 3891), whose Call-ID may be of another.
    """

    __slots__ = ("_replacing", "count", "number", "own_mark")

    def __init__(self, number: int, count: int) -> None:
        """Raises ValueError if there is no such process."""
        if not 0 <= number < count <= MOST_PROCESSES:
            raise ValueError(f"no process {number} of {count}")
        self.number = number
        self.count = count
        self.own_mark = b""
        self._replacing: dict[bytes, int] = {}  # branch of an INVITE with Replaces -> process

    def of(self, data: bytes) -> int:
        """The number of the process that this raw message belongs to; the owner's if it is broken."""
        if data.startswith(b"SIP/2.0 "):
            return self._of_response(data)
        if data.startswith(b"\r\n"):  # RFC 3261 §7.5: empty lines before the start line
            data = data.lstrip(b"\r\n")
        method = data[: data.find(b" ", 0, _LONGEST_METHOD)]
        if self.own_mark and self.own_mark in data:
            number = self._of_own_agent(data)
            if number >= 0:
                return number
        elif self._replacing and method in _HOP_BY_HOP:
            found = _BRANCH.search(data)
            if found is not None and found[1] in self._replacing:
                return self._replacing[found[1]]  # RFC 3261 §9.1, §17.1.1.3: its INVITE's
        if method in _METHODS:
            call_id = call_id_of(data)
            return share_of(call_id, self.count) if call_id else OWNER
        return OWNER

    def of_call(self, call_id: str) -> int:
        """The number of the process that a call belongs to."""
        return share_of(call_id.encode("latin-1", "replace"), self.count)

    def is_mine(self, call_id: str) -> bool:
        return self.of_call(call_id) == self.number

    def chosen(self, make: Callable[[], str]) -> str:
        """A Call-ID that `make` makes and that is this process's."""
        for _ in range(TRIES):
            call_id = make()
            if self.is_mine(call_id):
                break
        return call_id

    def _of_response(self, data: bytes) -> int:
        """By the digit that our branch begins with, in the top Via (§16.7 step 3)."""
        start = data.find(b"\r\n") + 2
        end = data.find(b"\r\n", start)
        at = data.find(b";branch=", start, end)
        if at < 0 or data[start : start + 5] != b"Via: " or data.find(b",", start, at) >= 0:
            try:
                data, _ = split_response(data)
            except (RemoteProtocolError, ValueError):
                return OWNER
            at = -8
        if not data.startswith(_COOKIE, at + 8):
            return OWNER
        digit = data[at + 15 : at + 16]
        number = int(digit, 16) if digit in _DIGITS else OWNER
        return number if number < self.count else OWNER

    def _of_own_agent(self, data: bytes) -> int:
        """By the digit in a tag of our own agent, to which or to whose dialog a request is; else -1."""
        try:
            message = parse(data)
            tag, replaces = message.to_tag, False
            if not tag and message.method == "INVITE" and message.has("Replaces"):
                tag, replaces = replaces_of(message).to_tag, True
        except RemoteProtocolError:
            return -1
        mark = self.own_mark.decode()
        digit = tag[len(mark) : len(mark) + 1].encode("latin-1", "replace")
        if not tag.startswith(mark) or digit not in _DIGITS or int(digit, 16) >= self.count:
            return -1
        number = int(digit, 16)
        if replaces and self.of_call(message.call_id) != number:
            self._remember(data, number)
        return number

    def _remember(self, data: bytes, number: int) -> None:
        """Its CANCEL, and the ACK of a refusal, have no tag of ours but the same branch."""
        found = _BRANCH.search(data)
        if found is not None:
            self._replacing.pop(found[1], None)
            if len(self._replacing) >= MOST_REPLACING:
                del self._replacing[next(iter(self._replacing))]
            self._replacing[found[1]] = number


_DIGITS: Final = frozenset(b"%x" % digit for digit in range(16))


def call_id_of(data: bytes) -> bytes:
    """The Call-ID of a raw request as `parse` reads it, b"" if there is none."""
    head = data.find(b"\r\n\r\n")
    start = data.find(b"\r\nCall-ID: ", 0, head + 2) + 11
    if start > 11 and head >= 0:
        end = data.find(b"\r\n", start)
        value = data[start:end].strip(_STRIPPED)
        if value and data[end + 2 : end + 3] not in _FOLDED:
            return value
    found = _CALL_ID.search(_FOLD.sub(b" ", data[:head] if head >= 0 else data))
    return found[1].strip(_STRIPPED) if found is not None else b""


_FOLDED: Final = frozenset((b" ", b"\t"))
