"""G.711 by tables: one law into the other, and each into 16-bit samples and back (ITU-T G.711)."""

from __future__ import annotations

import sys
from functools import cache


class Law:
    """Octets of one law to and from 16-bit samples in the order of octets of this machine."""

    def __init__(self, *, mu: bool) -> None:
        value = mu_value if mu else a_value
        halves = [(value(code) & 0xFFFF).to_bytes(2, sys.byteorder) for code in range(256)]
        self._first = bytes(pair[0] for pair in halves)
        self._second = bytes(pair[1] for pair in halves)
        self._codes = _codes([(value(code), code) for code in range(256)])

    def decode(self, payload: bytes) -> bytes:
        samples = bytearray(2 * len(payload))
        samples[0::2] = payload.translate(self._first)
        samples[1::2] = payload.translate(self._second)
        return bytes(samples)

    def encode(self, samples: bytes) -> bytes:
        return bytes(map(self._codes.__getitem__, memoryview(samples).cast("H")))


def _codes(values: list[tuple[int, int]]) -> bytes:
    """For each sample, as an unsigned number of 16 bits, the code of the nearest value."""
    values = sorted(values)
    runs = []
    below = -32768
    for (value, code), (following, _) in zip(values, [*values[1:], (1 << 20, 0)], strict=True):
        above = min((value + following + 1) // 2, 32768)
        runs.append(bytes([code]) * max(0, above - below))
        below = max(below, above)
    inside = b"".join(runs)
    return inside[32768:] + inside[:32768]


@cache
def law(mu: bool) -> Law:
    return Law(mu=mu)


@cache
def law_table(from_mu: bool) -> bytes:
    """256 octets: decode each code of one law and find the nearest of the other."""
    here, there = (mu_value, a_value) if from_mu else (a_value, mu_value)
    values = [(there(code), code) for code in range(256)]
    return bytes(
        min(values, key=lambda pair: (abs(pair[0] - here(code)), pair[1]))[1] for code in range(256)
    )


def mu_value(code: int) -> int:
    code = ~code & 0xFF
    value = (((code & 15) << 3) + 132 << (code >> 4 & 7)) - 132
    return -value if code & 0x80 else value


def a_value(code: int) -> int:
    code ^= 0x55
    exponent = code >> 4 & 7
    value = ((code & 15) << 4) + 8
    if exponent:
        value = value + 256 << exponent - 1
    return value if code & 0x80 else -value
