"""Bencode, as rtpengine's ng protocol uses it: integers, strings, lists and dictionaries.

Strings are octets on the wire. Decoded strings are `bytes`, dictionary keys `str` (Latin-1).
"""

from __future__ import annotations

from typing import Final

Value = int | str | bytes | list["Value"] | dict[str, "Value"]

MAX_DEPTH: Final = 12
"""Containers in containers; rtpengine's deepest answer (query) has seven."""

MAX_DIGITS: Final = 19

MAX_VALUES: Final = 8192
"""In one message: a query answered with a minute's scores of a dozen sources has some 4000, and what is
full of nothing else takes 20 ms to read, during which no voice is carried on."""


def encode(value: Value) -> bytes:
    """The octets of `value`; a `str` goes as Latin-1, so that SIP's octets stay as they were."""
    parts: list[bytes] = []
    _encode(value, parts)
    return b"".join(parts)


def _encode(value: Value, parts: list[bytes]) -> None:
    if isinstance(value, int):
        parts.append(b"i%de" % value)
    elif isinstance(value, str):
        octets = value.encode("latin-1", "replace")
        parts.append(b"%d:%b" % (len(octets), octets))
    elif isinstance(value, bytes):
        parts.append(b"%d:%b" % (len(value), value))
    elif isinstance(value, list):
        parts.append(b"l")
        for item in value:
            _encode(item, parts)
        parts.append(b"e")
    else:
        parts.append(b"d")
        for key in sorted(value):
            _encode(key, parts)
            _encode(value[key], parts)
        parts.append(b"e")


def decode(data: bytes) -> Value:
    """The one value that `data` holds. Raises `ValueError` for anything else."""
    reader = _Reader(data)
    value = reader.value(0)
    if reader.at != len(data):
        raise ValueError("octets behind the value")
    return value


class _Reader:
    """Where reading has come to, and how many values it may yet meet."""

    __slots__ = ("_data", "_left", "at")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = MAX_VALUES
        self.at = 0

    def value(self, depth: int) -> Value:
        self._left -= 1
        if self._left < 0:
            raise ValueError("too many values")
        kind = self._data[self.at : self.at + 1]
        if kind == b"i":
            return self._integer()
        if kind.isdigit():
            return self._string()
        if depth >= MAX_DEPTH:
            raise ValueError("too deep")
        if kind == b"l":
            self.at += 1
            items: list[Value] = []
            while not self._ended():
                items.append(self.value(depth + 1))
            return items
        if kind == b"d":
            self.at += 1
            pairs: dict[str, Value] = {}
            while not self._ended():
                key = self._string().decode("latin-1")
                pairs[key] = self.value(depth + 1)
            return pairs
        raise ValueError(f"no value at {self.at}")

    def _ended(self) -> bool:
        ended = self._data[self.at : self.at + 1] == b"e"
        self.at += ended
        return ended

    def _integer(self) -> int:
        end = self._data.find(b"e", self.at)
        found = _number(self._data[self.at + 1 : end], end)
        self.at = end + 1
        return found

    def _string(self) -> bytes:
        data, at = self._data, self.at
        colon = data.find(b":", at, at + MAX_DIGITS)
        start = colon + 1
        end = start + _number(data[at:colon], colon)
        if colon < 0 or end < start or end > len(data):
            raise ValueError(f"broken string at {at}")
        self.at = end
        return data[start:end]


def _number(digits: bytes, end: int) -> int:
    unsigned = digits[1:] if digits[:1] == b"-" else digits
    if end < 0 or not unsigned.isdigit() or len(unsigned) > MAX_DIGITS:
        raise ValueError("broken number")
    return int(digits)


def text(value: Value | None) -> str:
    """A decoded string as text, "" for anything that is none."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""
