"""G.711 and Opus: tables against the formula, Opus at 8 kHz, packets of other lengths than 20 ms."""

from __future__ import annotations

import array

import pytest

from sipengine.gateway import libopus
from sipengine.gateway.g711 import a_value, law, mu_value
from sipengine.gateway.sdp.formats import G722, OPUS, PCMA, PCMU
from sipengine.gateway.transcoding import (
    AnyTranscoder,
    FromOpus,
    ToOpus,
    Transcoder,
    make_transcoder,
)
from tests.gateway.served import tone
from tests.support.tone import Sound


def talk(*steps: AnyTranscoder, voice: bytes, size: int = 160) -> bytes:
    """`voice` in packets of `size` octets through all of them."""
    payloads = [voice[at : at + size] for at in range(0, len(voice), size)]
    for step in steps:
        payloads = [frame for payload in payloads for frame, _ in step.turn(payload)]
    return b"".join(payloads)


def heard(voice: bytes) -> Sound:
    import numpy as np

    return Sound(np.array([a_value(code) / 32768 for code in voice]), 8000)


@pytest.mark.parametrize(("mu", "value"), [(True, mu_value), (False, a_value)], ids=["mu", "a"])
def test_g711_samples_are_the_recommendation_s_and_come_back(mu: bool, value: object) -> None:
    codes = bytes(range(256))
    samples = law(mu).decode(codes)
    assert callable(value)
    assert list(memoryview(samples).cast("h")) == [value(code) for code in range(256)]
    again = law(mu).encode(samples)
    assert [mu_value(code) if mu else a_value(code) for code in again] == [
        value(code) for code in codes
    ]


@pytest.mark.parametrize("mu", [True, False], ids=["mu", "a"])
def test_g711_every_sample_gets_the_nearest_code(mu: bool) -> None:
    value = mu_value if mu else a_value
    values = [value(code) for code in range(256)]
    samples = array.array("h", range(-32768, 32768, 37))
    for sample, code in zip(samples, law(mu).encode(samples.tobytes()), strict=True):
        assert abs(value(code) - sample) == min(abs(each - sample) for each in values)


def test_rfc7587_4_1_opus_is_spoken_at_the_telephone_s_rate() -> None:
    assert libopus.load() is not None, "PyAV brings libopus along"
    assert isinstance(make_transcoder(PCMA, OPUS), ToOpus)
    assert isinstance(make_transcoder(OPUS, PCMU), FromOpus)
    assert isinstance(make_transcoder(G722, OPUS), Transcoder)


def test_a_tone_through_opus_and_back_is_that_tone() -> None:
    voice = tone(440, 16000)
    back = talk(ToOpus(PCMA), FromOpus(PCMA), voice=voice)
    assert len(back) == len(voice)
    assert heard(back).last(1.0).holds(440)


def test_rfc6716_2_1_4_packets_of_other_lengths_become_frames_of_20_ms() -> None:
    """30 ms from a phone; what waits counts for the timestamps."""
    made = ToOpus(PCMA)
    voice = tone(440, 480)
    first = made.turn(voice[:240])
    assert [duration for _, duration in first] == [960]
    assert made.waiting == 480
    second = made.turn(voice[240:])
    assert [duration for _, duration in second] == [960, 960]
    assert made.waiting == 0


def test_both_ways_of_opus_talk_to_each_other() -> None:
    """PyAV's encoder at 48 kHz, as a browser's, into ours; ours into PyAV's decoder."""
    back = talk(ToOpus(PCMA), Transcoder(OPUS, PCMA), voice=tone(660, 16000))
    assert heard(back).last(1.0).holds(660)
    back = talk(Transcoder(PCMA, OPUS), FromOpus(PCMA), voice=tone(880, 16000))
    assert heard(back).last(1.0).holds(880)


@pytest.mark.parametrize("payload", [b"", b"x" * 1501, b"\x03\x00", b"\xff" * 3])
def test_what_is_no_opus_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="no "):
        FromOpus(PCMU).turn(payload)


def test_silence_is_silence() -> None:
    back = talk(ToOpus(PCMA), FromOpus(PCMA), voice=b"\xd5" * 3200)
    assert max(abs(a_value(code)) for code in back) < 100
