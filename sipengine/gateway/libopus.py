"""Opus at the sampling rate of the other side, by the libopus that PyAV brings along (RFC 6716, RFC 7587).

PyAV's own decoder always makes 48 kHz stereo, and its encoder gets what was resampled to 48 kHz: for a
telephone at 8 kHz both are three times the work for nothing. Opus itself turns one rate into
another inside the codec (RFC 6716 §2.1.2, RFC 7587 §4.1).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
from functools import cache
from pathlib import Path
from typing import Final

BITS: Final = 24_000
"""Bits a second: wide-band speech as RFC 7587 §3.1.1 recommends it (16 to 20 kbit/s), and some room."""

COMPLEXITY: Final = 5
"""Of 0 to 10: more costs a third more time and is not heard at these rates."""

LONGEST_S: Final = 0.12  # RFC 6716 §2.1.4: of one packet
MAX_PACKET: Final = 1275

_VOIP: Final = 2048  # OPUS_APPLICATION_VOIP, opus_defines.h
_SET_BITRATE: Final = 4002
_SET_COMPLEXITY: Final = 4010
_SET_INBAND_FEC: Final = 4012
_SET_PACKET_LOSS: Final = 4014
_SAMPLE: Final = 2  # octets


class Decoder:
    """One stream of Opus into 16-bit samples, mono, in the order of octets of this machine."""

    def __init__(self, rate: int) -> None:
        """Raises `RuntimeError` where there is no libopus."""
        self._library = _known()
        self._state = ctypes.create_string_buffer(self._library.opus_decoder_get_size(1))
        if self._library.opus_decoder_init(self._state, rate, 1):
            raise RuntimeError(f"libopus cannot decode at {rate} Hz")
        self._most = int(rate * LONGEST_S)
        self._out = ctypes.create_string_buffer(self._most * _SAMPLE)
        self._view = memoryview(self._out).cast("B")

    def decode(self, payload: bytes) -> bytes:
        """Raises `ValueError` for what is no Opus."""
        return self._decoded(payload, self._most, 0)

    def conceal(self, samples: int) -> bytes:
        """What may have been in a packet that is missing: the sound before it, fading."""
        return self._decoded(None, samples, 0)

    def recover(self, following: bytes, samples: int) -> bytes:
        """What was in a missing packet, of what the one after it says again (RFC 6716 §2.1.7); if that
        says nothing, as `conceal`. `following` is decoded for itself after this."""
        return self._decoded(following, samples, 1)

    def _decoded(self, payload: bytes | None, most: int, again: int) -> bytes:
        length = 0 if payload is None else len(payload)
        count = self._library.opus_decode(self._state, payload, length, self._out, most, again)
        if count < 0:
            raise ValueError("no Opus packet")
        return bytes(self._view[: count * _SAMPLE])


class Encoder:
    """Frames of 16-bit samples, mono, into Opus."""

    def __init__(self, rate: int) -> None:
        """Raises `RuntimeError` where there is no libopus."""
        self._library = _known()
        self._state = ctypes.create_string_buffer(self._library.opus_encoder_get_size(1))
        if self._library.opus_encoder_init(self._state, rate, 1, _VOIP):
            raise RuntimeError(f"libopus cannot encode at {rate} Hz")
        self._library.opus_encoder_ctl(self._state, _SET_BITRATE, BITS)
        self._library.opus_encoder_ctl(self._state, _SET_COMPLEXITY, COMPLEXITY)
        self._out = ctypes.create_string_buffer(MAX_PACKET)
        self._view = memoryview(self._out).cast("B")

    def expect_loss(self, percent: int) -> None:
        """Say each packet again in the next one, as well as that loss is worth it; 0: not any more."""
        self._library.opus_encoder_ctl(self._state, _SET_INBAND_FEC, int(percent > 0))
        self._library.opus_encoder_ctl(self._state, _SET_PACKET_LOSS, percent)

    def encode(self, samples: bytes) -> bytes:
        """One frame of 20 ms. Raises `ValueError` for another length."""
        length = self._library.opus_encode(
            self._state, samples, len(samples) // _SAMPLE, self._out, MAX_PACKET
        )
        if length < 0:
            raise ValueError("no frame of Opus")
        return bytes(self._view[:length])


def _known() -> ctypes.CDLL:
    library = load()
    if library is None:
        raise RuntimeError("no libopus is here")
    return library


@cache
def load() -> ctypes.CDLL | None:
    """libopus, with its functions described; None where there is none, and PyAV's codec must do."""
    for place in [*_beside_av(), ctypes.util.find_library("opus")]:
        if place is None:
            continue
        try:
            return _described(ctypes.CDLL(str(place)))
        except (OSError, AttributeError):  # of another kind of machine, or something else's
            continue
    return None


def _beside_av() -> list[Path]:
    """The wheels of PyAV carry their libraries in a folder beside the package."""
    found = importlib.util.find_spec("av")
    if found is None or found.origin is None:
        return []
    packages = Path(found.origin).parent.parent
    return sorted(packages.glob("av.libs/libopus-*.so*"))


def _described(library: ctypes.CDLL) -> ctypes.CDLL:
    state, octets, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    library.opus_decoder_get_size.argtypes = [number]
    library.opus_decoder_init.argtypes = [state, number, number]
    library.opus_decode.argtypes = [state, octets, number, state, number, number]
    library.opus_encoder_get_size.argtypes = [number]
    library.opus_encoder_init.argtypes = [state, number, number, number]
    library.opus_encode.argtypes = [state, octets, number, state, number]
    # Its third argument is variadic: an integer goes the same way on all that wheels are made for.
    library.opus_encoder_ctl.argtypes = [state, number, number]
    return library
