"""Voice of one codec into voice of another, by PyAV (FFmpeg): G.711, G.722 and Opus.

PyAV is loaded by the first call that needs it: most calls share a codec and never do.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, Final

from sipengine.gateway.sdp.formats import G722, OPUS, PCMA, PCMU, Codec

_RATES: Final = {PCMU: 8000, PCMA: 8000, G722: 16000, OPUS: 48000}
_NAMES: Final = {PCMU: "pcm_mulaw", PCMA: "pcm_alaw", G722: "g722", OPUS: "libopus"}
_FRAME_S: Final = 0.02
MAX_PAYLOAD: Final = 1500
OPUS_BITS: Final = 24_000
"""Bits a second: wide-band speech as RFC 7587 §3.1.1 recommends it (16 to 20 kbit/s), and some room."""


class Transcoder:
    """One direction; `waiting` is what is decoded and not yet sent, in the receiver's clock."""

    def __init__(self, source: Codec, target: Codec) -> None:
        av = _av()
        self._av = av
        self._decoder = av.CodecContext.create(_NAMES[source], "r")
        if source != OPUS:
            self._decoder.sample_rate = _RATES[source]
            self._decoder.layout = "mono"
        rate = _RATES[target]
        self._frame_size = int(rate * _FRAME_S)
        self._duration = int(target.clock * _FRAME_S)
        self._resampler = av.AudioResampler("s16", "mono", rate)
        self._encoder = encoder = av.CodecContext.create(_NAMES[target], "w")
        encoder.sample_rate = rate
        encoder.layout = "mono"
        encoder.format = "s16"
        if target == OPUS:
            encoder.bit_rate = OPUS_BITS
            encoder.options = {
                "application": "voip",
                "frame_duration": "20",
                "compression_level": "5",
            }
        self._fifo = av.AudioFifo()
        self._stamp = 0

    @property
    def waiting(self) -> int:
        return int(self._fifo.samples) * self._duration // self._frame_size

    def turn(self, payload: bytes) -> list[tuple[bytes, int]]:
        """(payload, its duration in the receiver's clock) of each frame that is whole now.

        Raises `ValueError` for what cannot be decoded.
        """
        if not payload or len(payload) > MAX_PAYLOAD:
            raise ValueError("no voice payload")
        out = []
        try:
            for frame in self._decoder.decode(self._av.Packet(payload)):
                frame.pts = None
                for resampled in self._resampler.resample(frame):
                    resampled.pts = None
                    self._fifo.write(resampled)
            while (ready := self._fifo.read(self._frame_size)) is not None:
                ready.pts = self._stamp
                self._stamp += self._frame_size
                out += [(bytes(packet), self._duration) for packet in self._encoder.encode(ready)]
        except self._av.FFmpegError as error:
            raise ValueError(str(error)) from error
        return out


class Table:
    """G.711 of one law into the other: one look-up an octet (ITU-T G.711 tables 3 and 4)."""

    waiting = 0

    def __init__(self, table: bytes) -> None:
        self._table = table

    def turn(self, payload: bytes) -> list[tuple[bytes, int]]:
        return [(payload.translate(self._table), len(payload))]


def make_transcoder(source: Codec, target: Codec) -> Transcoder | Table:
    if {source, target} == {PCMU, PCMA}:
        return Table(_law_table(source == PCMU))
    return Transcoder(source, target)


@cache
def _law_table(from_mu: bool) -> bytes:
    """256 octets: decode each code of one law and find the nearest of the other."""
    here, there = (_mu_value, _a_value) if from_mu else (_a_value, _mu_value)
    values = [(there(code), code) for code in range(256)]
    return bytes(
        min(values, key=lambda pair: (abs(pair[0] - here(code)), pair[1]))[1] for code in range(256)
    )


def _mu_value(code: int) -> int:
    code = ~code & 0xFF
    value = (((code & 15) << 3) + 132 << (code >> 4 & 7)) - 132
    return -value if code & 0x80 else value


def _a_value(code: int) -> int:
    code ^= 0x55
    exponent = code >> 4 & 7
    value = ((code & 15) << 4) + 8
    if exponent:
        value = value + 256 << exponent - 1
    return value if code & 0x80 else -value


@cache
def _av() -> Any:
    return importlib.import_module("av")
