"""Bencode, as rtpengine's ng protocol uses it: integers, strings, lists and dictionaries.

Strings are octets on the wire. Decoded strings are `bytes`, dictionary keys `str` (Latin-1).
"""

from __future__ import annotations

from typing import Final

Value = int | str | bytes | list["Value"] | dict[str, "Value"]

MAX_DEPTH: Final = 12
"""Containers in containers; rtpengine's deepest answer (query) has seven."""

MAX_DIGITS: Final = 19


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
    value, at = _decode(data, 0, 0)
    if at != len(data):
        raise ValueError("octets behind the value")
    return value


def _decode(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.find(b"e", at)
        return _number(data[at + 1 : end], end), end + 1
    if kind.isdigit():
        return _string(data, at)
    if depth >= MAX_DEPTH:
        raise ValueError("too deep")
    if kind == b"l":
        items: list[Value] = []
        at += 1
        while data[at : at + 1] != b"e":
            item, at = _decode(data, at, depth + 1)
            items.append(item)
        return items, at + 1
    if kind == b"d":
        pairs: dict[str, Value] = {}
        at += 1
        while data[at : at + 1] != b"e":
            key, at = _string(data, at)
            pairs[key.decode("latin-1")], at = _decode(data, at, depth + 1)
        return pairs, at + 1
    raise ValueError(f"no value at {at}")


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    colon = data.find(b":", at, at + MAX_DIGITS)
    start = colon + 1
    end = start + _number(data[at:colon], colon)
    if colon < 0 or end < start or end > len(data):
        raise ValueError(f"broken string at {at}")
    return data[start:end], end


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
