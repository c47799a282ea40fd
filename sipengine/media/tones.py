"""Steady tones in G.711 (ITU-T G.711), made once and played in frames of 20 ms."""

from __future__ import annotations

import math
from functools import cache
from typing import Final

RATE: Final = 8000
FRAME: Final = 160
"""Samples in 20 ms."""
LOUDNESS: Final = 8000
"""Amplitude of 32768: -12 dBFS, clear and not painful."""


@cache
def frames(codec: str, frequency: int) -> tuple[bytes, ...]:
    """One second of a tone in Hz as frames, encoded as PCMU or PCMA; played again and again it has
    no seam, as any whole frequency fits a second."""
    encode = _pcmu if codec == "PCMU" else _pcma
    step = 2 * math.pi * frequency / RATE
    data = bytes(encode(round(LOUDNESS * math.sin(step * n))) for n in range(RATE))
    return tuple(data[at : at + FRAME] for at in range(0, RATE, FRAME))


def silence(codec: str) -> bytes:
    """A frame of nothing."""
    return bytes([_pcmu(0) if codec == "PCMU" else _pcma(0)]) * FRAME


def _pcmu(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 132
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~(sign | exponent << 4 | mantissa) & 0xFF


def _pcma(sample: int) -> int:
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(abs(sample) if sample >= 0 else -sample - 1, 32767) >> 3
    exponent = max(0, magnitude.bit_length() - 5)
    mantissa = (magnitude >> (exponent if exponent else 1)) & 0x0F
    return (sign | exponent << 4 | mantissa) ^ 0x55
