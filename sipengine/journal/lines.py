"""One fact, one line: eight hex digits of CRC-32, a letter for the kind, the fact as JSON, a newline.

JSON never holds a raw newline, so a torn tail is what follows the last line whose checksum holds.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from sipengine.api import BanRecord, BindingGone, BindingRecord, CallRecord, Fact

KIND_BINDING: Final = ord("B")
KIND_GONE: Final = ord("G")
KIND_CALL: Final = ord("C")
KIND_BAN: Final = ord("X")
KIND_DAMAGED: Final = 0
"""A whole line whose checksum does not hold, with whole lines after it: the disk's fault."""

_HEAD: Final = 8  # hex digits of the checksum


class JournalError(Exception):
    """The journal cannot be opened, read or written; the message is one sentence for an operator."""


class JournalFull(JournalError):
    """Nothing was written: the disk or the journal's own limit is full."""


class Position(NamedTuple):
    """A place between two lines. Positions of one journal are ordered; the first is `START`."""

    segment: int
    offset: int


START: Final = Position(0, 0)


class Line(NamedTuple):
    """One journalled fact: its kind, its JSON and the position after it."""

    kind: int
    payload: bytes
    end: Position


_KINDS: Final[dict[type, bytes]] = {
    BindingRecord: b"B",
    BindingGone: b"G",
    CallRecord: b"C",
    BanRecord: b"X",
}
_encode = msgspec.json.Encoder().encode
_binding = msgspec.json.Decoder(BindingRecord).decode
_gone = msgspec.json.Decoder(BindingGone).decode
_call = msgspec.json.Decoder(CallRecord).decode
_ban = msgspec.json.Decoder(BanRecord).decode


def encode(fact: Fact) -> bytes:
    """Return the journal line of `fact`. Cheap enough for the loop: about 1.5 µs a binding."""
    body = _KINDS[type(fact)] + _encode(fact)
    return b"%08x%b\n" % (crc32(body), body)


def decode(line: Line) -> Fact:
    """Return the fact of a line that is not damaged. Raises `JournalError` if it is."""
    try:
        if line.kind == KIND_BINDING:
            return _binding(line.payload)
        if line.kind == KIND_GONE:
            return _gone(line.payload)
        if line.kind == KIND_CALL:
            return _call(line.payload)
        if line.kind == KIND_BAN:
            return _ban(line.payload)
    except msgspec.DecodeError as error:
        raise JournalError(f"A journal line does not fit its kind: {error}.") from error
    raise JournalError("A journal line is damaged.")


def parse(raw: bytes, end: Position) -> Line:
    """Return the line `raw` (without newline); `KIND_DAMAGED` if its checksum does not hold."""
    body = raw[_HEAD:]
    try:
        sound = int(raw[:_HEAD], 16) == crc32(body) and raw[_HEAD] in b"BGCX"
    except (ValueError, IndexError):
        sound = False
    return Line(body[0], body[1:], end) if sound else Line(KIND_DAMAGED, raw, end)
