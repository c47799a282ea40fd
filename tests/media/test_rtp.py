"""RTP packets and tones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipengine.media.rtp import HEADER, Packets, payload_of
from sipengine.media.tones import FRAME, frames, silence
from tests.support.tone import Sound


def packet(first: int = 0x80, second: int = 0, payload: bytes = b"x" * 160) -> bytes:
    return HEADER.pack(first, second, 1, 2, 3) + payload


def test_rfc3550_5_1_payload_behind_sources_extension_and_padding() -> None:
    assert payload_of(packet()) == (0, 2, b"x" * 160)
    assert payload_of(packet(0x82, 0x88, b"ssrcssrc" + b"y" * 10)) == (8, 2, b"y" * 10)
    extended = b"\xbe\xde\x00\x01" + b"1234" + b"z" * 5
    assert payload_of(packet(0x90, 0, extended)) == (0, 2, b"z" * 5)
    assert payload_of(packet(0xA0, 0, b"p" * 4 + b"\0\0\0\4")) == (0, 2, b"p" * 4)


@pytest.mark.parametrize(
    "data",
    [b"", b"x" * 11, packet(0x40), packet(0x80, 200 & 0x7F), packet(payload=b""), packet(0x8F, 0, b"x" * 60), packet(payload=b"x" * 2000), packet(0xA0, 0, b"\xff")],
)  # fmt: skip
def test_rfc3550_a_1_what_is_no_rtp_is_nothing(data: bytes) -> None:
    assert payload_of(data) is None


@given(st.binary(max_size=200))
def test_payload_of_anything(data: bytes) -> None:
    payload_of(data)


def test_rfc3550_5_1_numbers_go_on_and_the_first_has_the_marker() -> None:
    packets = Packets(b"\1\2\3\4\xff\xff\0\0")
    first, second = packets.make(0, b"a"), packets.make(0, b"b")
    assert first[1] == 0x80
    assert second[1] == 0
    assert int.from_bytes(first[2:4], "big") == 0
    assert int.from_bytes(second[2:4], "big") == 1
    assert first[8:12] == second[8:12]


def heard(codec: str, data: bytes) -> Sound:
    """G.711 as an independent decoder hears it (ITU-T G.711 tables 1 and 2)."""
    samples = []
    for byte in data:
        if codec == "PCMU":
            value = ~byte & 0xFF
            magnitude = (((value & 0x0F) << 3) + 132 << (value >> 4 & 7)) - 132
            samples.append(-magnitude if value & 0x80 else magnitude)
        else:
            value = byte ^ 0x55
            exponent, mantissa = value >> 4 & 7, value & 0x0F
            magnitude = (mantissa << 4) + 8
            if exponent:
                magnitude = magnitude + 256 << exponent - 1
            samples.append(magnitude if value & 0x80 else -magnitude)
    return Sound(np.array(samples) / 32768, 8000)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
@pytest.mark.parametrize("frequency", [440, 425])
def test_tone_is_that_tone_without_a_seam(codec: str, frequency: int) -> None:
    second = frames(codec, frequency)
    assert {len(frame) for frame in second} == {FRAME}
    sound = heard(codec, b"".join(second) * 2)
    assert sound.holds(frequency, within=1)
    assert 0.15 < sound.loudness() < 0.19
    ideal = np.sin(2 * np.pi * frequency * np.arange(len(sound.samples)) / 8000) * 8000 / 32768
    assert np.abs(sound.samples - ideal).max() < 0.01, "nothing but the codec's own noise"


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_silence_is_silent(codec: str) -> None:
    assert heard(codec, silence(codec)).loudness() < 0.001
