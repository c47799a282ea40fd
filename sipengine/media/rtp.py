"""RTP packets (RFC 3550 §5.1), as far as an endpoint that echoes or plays needs them."""

from __future__ import annotations

import struct
from typing import Final

HEADER: Final = struct.Struct("!BBHII")
VERSION: Final = 0x80
LARGEST: Final = 1500
"""Bytes: 20 ms of G.711 are 172, and nothing real is larger than a frame of Ethernet."""


def payload_of(data: bytes) -> tuple[int, int, bytes] | None:
    """(payload type, timestamp, payload) of a packet; None if it is not a whole RTP packet."""
    if not HEADER.size <= len(data) <= LARGEST:
        return None
    first, second, _, timestamp, _ = HEADER.unpack_from(data)
    if first & 0xC0 != VERSION or 72 <= second & 0x7F <= 76:  # RFC 5761 §4: that would be RTCP
        return None
    start = HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data)
    if first & 0x20:
        end -= data[-1]
    if start >= end:
        return None
    return second & 0x7F, timestamp, data[start:end]


class Packets:
    """The packets of one stream of ours: numbers and times go on, whatever is in them."""

    __slots__ = ("_sequence", "_ssrc", "_started", "timestamp")

    def __init__(self, seed: bytes) -> None:
        """`seed` is 8 random bytes (RFC 3550 §8.1, §5.1)."""
        self._ssrc = int.from_bytes(seed[:4], "big")
        self._sequence = int.from_bytes(seed[4:6], "big")
        self.timestamp = int.from_bytes(seed[4:8], "big")
        self._started = False

    def make(self, payload_type: int, payload: bytes) -> bytes:
        """The next packet; the first one has the marker. The caller moves `timestamp` on."""
        marker = 0 if self._started else 0x80
        self._started = True
        self._sequence = (self._sequence + 1) & 0xFFFF
        stamp = self.timestamp & 0xFFFFFFFF
        head = HEADER.pack(VERSION, marker | payload_type, self._sequence, stamp, self._ssrc)
        return head + payload
