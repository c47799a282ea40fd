"""STUN on the SIP port: Binding requests tell a phone where its NAT lets it appear (RFC 5389, RFC 5626 §8).

A phone that uses Outbound over UDP sends one every 24 to 29 s (RFC 5626 §4.4.2): it holds the
NAT's mapping open, and another address in the answer tells the phone that its flow is gone. There
is no state and no authentication (RFC 5389 §13). An answer is 12 bytes longer than its request, and
their number is bounded, so that nobody gains by asking in a victim's name.
"""

from __future__ import annotations

import socket
import struct
import zlib
from typing import Final

MAGIC_COOKIE: Final = 0x2112A442
HEADER: Final = struct.Struct("!HHI12s")

BINDING_REQUEST: Final = 0x0001
_BINDING_SUCCESS: Final = 0x0101
_BINDING_ERROR: Final = 0x0111

_ERROR_CODE: Final = 0x0009
_UNKNOWN_ATTRIBUTES: Final = 0x000A
_XOR_MAPPED_ADDRESS: Final = 0x0020
_FINGERPRINT: Final = 0x8028
_FINGERPRINT_XOR: Final = 0x5354554E

_UNDERSTOOD: Final = frozenset({0x0006, 0x0008, 0x0014, 0x0015, 0x0025})
"""Comprehension-required attributes that may be ignored: USERNAME, MESSAGE-INTEGRITY, REALM, NONCE
(there is nothing to authenticate for) and USE-CANDIDATE."""

LARGEST: Final = 548
"""Bytes of a request (RFC 5389 §7.1): no real one comes near it."""
MAX_ATTRIBUTES: Final = 32
MAX_UNKNOWN: Final = 8
"""Unknown attributes that an error names: it must not be much longer than the request."""

PER_SECOND: Final = 4000
"""Answers a second: 100,000 phones that ask every 25 s. What is beyond is dropped and counted."""

IGNORED: Final = b""


class StunServer:
    """Answers datagrams whose first byte is 0 or 1, which no SIP message begins with."""

    __slots__ = ("_left", "_until", "answered", "ignored", "limited")

    def __init__(self) -> None:
        self.answered = self.ignored = self.limited = 0
        self._left = PER_SECOND
        self._until = 0.0

    def answer(self, data: bytes, address: tuple[str, int], now: float) -> bytes:
        """The answer to send back to `address`, IGNORED if there is none: it was no request."""
        answer = _answer(data, address)
        if not answer:
            self.ignored += 1
            return IGNORED
        if now >= self._until:
            self._until = now + 1.0
            self._left = PER_SECOND
        if self._left <= 0:
            self.limited += 1
            return IGNORED
        self._left -= 1
        self.answered += 1
        return answer


def _answer(data: bytes, address: tuple[str, int]) -> bytes:
    if not HEADER.size <= len(data) <= LARGEST:
        return IGNORED
    kind, length, cookie, transaction = HEADER.unpack_from(data)
    if kind != BINDING_REQUEST or cookie != MAGIC_COOKIE:
        return IGNORED
    if length % 4 or length != len(data) - HEADER.size:
        return IGNORED
    unknown: list[int] = []
    fingerprint = False
    place = HEADER.size
    for _ in range(MAX_ATTRIBUTES):
        if place == len(data):
            break
        name, size = struct.unpack_from("!HH", data, place)
        end = place + 4 + size + -size % 4
        if end > len(data):
            return IGNORED
        if name == _FINGERPRINT:
            if size != 4 or end != len(data) or data[place + 4 :] != _fingerprint(data[:place]):
                return IGNORED  # RFC 5389 §7.3: it is no STUN message
            fingerprint = True
        elif name < 0x8000 and name not in _UNDERSTOOD:
            unknown.append(name)
        place = end
    if place != len(data):
        return IGNORED
    if unknown:
        return _message(_BINDING_ERROR, transaction, _names(unknown[:MAX_UNKNOWN]), fingerprint)
    mapped = _xor_mapped_address(address, transaction)
    return _message(_BINDING_SUCCESS, transaction, mapped, fingerprint)


def _message(kind: int, transaction: bytes, attributes: bytes, fingerprint: bool) -> bytes:
    if not fingerprint:
        return HEADER.pack(kind, len(attributes), MAGIC_COOKIE, transaction) + attributes
    message = HEADER.pack(kind, len(attributes) + 8, MAGIC_COOKIE, transaction) + attributes
    return message + struct.pack("!HH", _FINGERPRINT, 4) + _fingerprint(message)


def _fingerprint(before: bytes) -> bytes:
    """The value of FINGERPRINT behind `before`, whose length counts it already (RFC 5389 §15.5)."""
    return struct.pack("!I", zlib.crc32(before) ^ _FINGERPRINT_XOR)


def _xor_mapped_address(address: tuple[str, int], transaction: bytes) -> bytes:
    """The attribute of RFC 5389 §15.2: NATs that rewrite addresses in payloads do not know it so."""
    host, port = address
    mask = struct.pack("!I", MAGIC_COOKIE) + transaction
    family, number = (2, socket.AF_INET6) if ":" in host else (1, socket.AF_INET)
    raw = socket.inet_pton(number, host.partition("%")[0])
    hidden = bytes(a ^ b for a, b in zip(raw, mask, strict=False))
    value = struct.pack("!BBH", 0, family, port ^ MAGIC_COOKIE >> 16) + hidden
    return struct.pack("!HH", _XOR_MAPPED_ADDRESS, len(value)) + value


def _names(unknown: list[int]) -> bytes:
    """ERROR-CODE 420 and UNKNOWN-ATTRIBUTES (RFC 5389 §7.3.1)."""
    reason = b"Unknown Attribute"
    code = struct.pack("!HBB", 0, 4, 20) + reason
    names = struct.pack(f"!{len(unknown)}H", *unknown)
    return (
        struct.pack("!HH", _ERROR_CODE, len(code)) + code + bytes(-len(code) % 4)
        + struct.pack("!HH", _UNKNOWN_ATTRIBUTES, len(names)) + names + bytes(-len(names) % 4)
    )  # fmt: skip
