"""Voice of one codec into voice of another: G.711 by tables, Opus by libopus, G.722 by PyAV (FFmpeg)."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, Final

from sipengine.gateway import libopus
from sipengine.gateway.g711 import law, law_table
from sipengine.gateway.sdp.formats import G722, OPUS, PCMA, PCMU, Codec

_RATES: Final = {PCMU: 8000, PCMA: 8000, G722: 16000, OPUS: 48000}
_NAMES: Final = {PCMU: "pcm_mulaw", PCMA: "pcm_alaw", G722: "g722", OPUS: "libopus"}
_FRAME_S: Final = 0.02
MAX_PAYLOAD: Final = 1500
G711: Final = (PCMU, PCMA)
LOSS_STEP: Final = 5
MOST_LOSS: Final = 30
"""Percent: more of what is sent would only go into saying it again."""
_G711_FRAME: Final = 160  # samples of 20 ms
_OPUS_DURATION: Final = 960  # the same in Opus's clock


class Transcoder:
    """One direction; `waiting` is what is decoded and not yet sent, in the receiver's clock."""

    def __init__(self, source: Codec, target: Codec) -> None:
        av = _av()
        self._av = av
        self._decoder = av.CodecContext.create(_NAMES[source], "r")
        if source != OPUS:
            self._decoder.sample_rate = _RATES[source]
            self._decoder.layout = "mono"
        rate = _RATES[source] if target == OPUS else _RATES[target]
        self._frame_size = int(rate * _FRAME_S)
        self._duration = int(target.clock * _FRAME_S)
        self._resampler = av.AudioResampler("s16", "mono", rate)
        self._encoder = encoder = av.CodecContext.create(_NAMES[target], "w")
        encoder.sample_rate = rate
        encoder.layout = "mono"
        encoder.format = "s16"
        if target == OPUS:
            encoder.bit_rate = libopus.BITS
            encoder.options = {
                "application": "voip",
                "frame_duration": "20",
                "compression_level": str(libopus.COMPLEXITY),
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


class FromOpus:
    """Opus into G.711. `waiting` samples are decoded and not yet sent: packets of 10 ms and the like."""

    def __init__(self, target: Codec) -> None:
        """Raises `RuntimeError` where there is no libopus."""
        self._decoder = libopus.Decoder(8000)
        self._encode = law(target == PCMU).encode
        self._rest = b""

    @property
    def waiting(self) -> int:
        return len(self._rest) // 2

    def turn(self, payload: bytes) -> list[tuple[bytes, int]]:
        """As `Transcoder.turn`."""
        if not payload or len(payload) > MAX_PAYLOAD:
            raise ValueError("no voice payload")
        samples = self._decoder.decode(payload)
        if len(samples) == 2 * _G711_FRAME and not self._rest:
            return [(self._encode(samples), _G711_FRAME)]
        return self._encoded(samples)

    def restore(self, count: int, duration: int, payload: bytes) -> list[tuple[bytes, int]]:
        """What `count` missing packets of `duration` in Opus's clock said, of which the last is said again
        in `payload`, the one that follows: voice packets carry the one before them where the sender
        knows of losses (RFC 7587 §3.3). Raises `ValueError` as `turn` does.
        """
        samples = duration * 8000 // OPUS.clock
        made = [self._decoder.conceal(samples) for _ in range(count - 1)]
        return self._encoded(b"".join(made) + self._decoder.recover(payload, samples))

    def _encoded(self, samples: bytes) -> list[tuple[bytes, int]]:
        frames, self._rest = _frames(self._rest + samples)
        return [(self._encode(frame), _G711_FRAME) for frame in frames]


class ToOpus:
    """G.711 into Opus, whose clock is six times as fast."""

    def __init__(self, source: Codec) -> None:
        """Raises `RuntimeError` where there is no libopus."""
        self._decode = law(source == PCMU).decode
        self._encoder = libopus.Encoder(8000)
        self._rest = b""
        self._expected = 0

    @property
    def waiting(self) -> int:
        return len(self._rest) // 2 * 6

    def turn(self, payload: bytes) -> list[tuple[bytes, int]]:
        """As `Transcoder.turn`."""
        if not payload or len(payload) > MAX_PAYLOAD:
            raise ValueError("no voice payload")
        samples = self._decode(payload)
        if len(samples) == 2 * _G711_FRAME and not self._rest:
            return [(self._encoder.encode(samples), _OPUS_DURATION)]
        frames, self._rest = _frames(self._rest + samples)
        return [(self._encoder.encode(frame), _OPUS_DURATION) for frame in frames]

    def expect_loss(self, percent: int) -> None:
        """So many packets in a hundred are reported to be lost on their way to the receiver."""
        step = min((percent + LOSS_STEP - 1) // LOSS_STEP * LOSS_STEP, MOST_LOSS)
        if step != self._expected:
            self._expected = step
            self._encoder.expect_loss(step)


def _frames(samples: bytes) -> tuple[list[bytes], bytes]:
    """Whole frames of 20 ms at 8 kHz, and what is left."""
    size = 2 * _G711_FRAME
    whole = len(samples) // size * size
    return [samples[at : at + size] for at in range(0, whole, size)], samples[whole:]


AnyTranscoder = Transcoder | Table | FromOpus | ToOpus


def make_transcoder(source: Codec, target: Codec) -> AnyTranscoder:
    if {source, target} == {PCMU, PCMA}:
        return Table(law_table(source == PCMU))
    if libopus.load() is not None:
        if source == OPUS and target in G711:
            return FromOpus(target)
        if source in G711 and target == OPUS:
            return ToOpus(source)
    return Transcoder(source, target)


def prepare() -> None:
    """Load everything that a first transcoded call needs: it would stop all other calls meanwhile."""
    for one in (PCMU, PCMA, G722):
        make_transcoder(one, OPUS)
        make_transcoder(OPUS, one)
    law_table(True)
    law_table(False)


@cache
def _av() -> Any:
    return importlib.import_module("av")
