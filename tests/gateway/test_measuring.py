"""What is measured of a stream, and the score that is made of it (RFC 3550 appendix A, ITU-T G.107)."""

from __future__ import annotations

import struct

import pytest

from sipengine.gateway.path import Path
from sipengine.gateway.quality import score
from sipengine.gateway.sdp.choosing import Route
from sipengine.gateway.sdp.formats import G722, OPUS, PCMA, PCMU, Codec
from sipengine.gateway.streams import Incoming, Outgoing
from sipengine.gateway.transcoding import Table, Transcoder, make_transcoder
from sipengine.gateway.transcoding_path import TranscodingPath


def arrive(stream: Incoming, sequences: list[int], spacing: float = 0.02) -> None:
    for place, sequence in enumerate(sequences):
        stream.update(
            sequence & 0xFFFF, (sequence * 160) & 0xFFFFFFFF, 7, 160, 100 + place * spacing
        )


@pytest.mark.parametrize(
    ("sequences", "lost"),
    [
        (list(range(10)), 0),
        ([0, 1, 2, 5, 6], 2),
        ([0, 2, 1, 3], 0),
        ([65534, 65535, 65536, 65537], 0),
        ([65534, 65537], 2),
        ([1, 2, 3, 3, 3], 0),
    ],
)
def test_rfc3550_a_3_lost_packets(sequences: list[int], lost: int) -> None:
    stream = Incoming()
    arrive(stream, sequences)
    assert stream.lost == lost
    assert stream.packets == len(sequences)


def test_rfc3550_a_1_a_sender_that_counts_anew_is_another_source() -> None:
    stream = Incoming()
    arrive(stream, [10, 11, 13])
    arrive(stream, [40000, 40001])
    assert (stream.sources, stream.lost) == (2, 1)


def test_rfc3550_a_8_jitter() -> None:
    even, uneven = Incoming(), Incoming()
    arrive(even, list(range(200)))
    assert even.jitter_ms < 0.01
    for place in range(400):  # 10 ms early, 10 ms late, ...
        late = 0.01 if place % 2 else -0.01
        uneven.update(place, place * 160, 7, 160, 100 + place * 0.02 + late)
    assert uneven.jitter_ms == pytest.approx(20, rel=0.05)


def test_an_outgoing_stream_has_one_source_and_no_break() -> None:
    stream = Outgoing()
    packets = []
    for source, begin in ((1, 500), (2, 60000)):
        stream.follow(source, begin, 1000, 5.0)
        packets += [
            stream.stamp(8, begin + step, 1000 + 160 * step, b"x", 5.0) for step in range(3)
        ]
    sequences = [int.from_bytes(packet[2:4], "big") for packet in packets]
    assert [each - sequences[0] for each in sequences] == [0, 1, 2, 3, 4, 5]
    assert len({packet[8:12] for packet in packets}) == 1


def test_the_score_falls_with_loss_delay_and_jitter() -> None:
    assert score(0.02, 1, 0, "PCMA") == pytest.approx(4.38, abs=0.05)
    assert score(0.02, 1, 0, "PCMA") > score(0.02, 1, 1, "PCMA") > score(0.02, 1, 5, "PCMA")
    assert score(0.02, 1, 2, "PCMA") > score(0.6, 1, 2, "PCMA")
    assert score(0.02, 1, 2, "PCMA") > score(0.02, 90, 2, "PCMA")
    assert score(3, 500, 80, "G729") == 1.0


@pytest.mark.parametrize("source", [PCMU, PCMA, G722, OPUS])
@pytest.mark.parametrize("target", [PCMU, PCMA, G722, OPUS])
def test_frames_of_20_ms_stay_frames_of_20_ms(source: Codec, target: Codec) -> None:
    if source == target:
        return
    silence = [bytes([0xD5]) * 160] * 20
    if source != PCMA:
        first = make_transcoder(PCMA, source)
        silence = [frame for payload in silence for frame, _ in first.turn(payload)]
    made = make_transcoder(source, target)
    frames = [each for payload in silence for each in made.turn(payload)]
    assert len(silence) - 2 <= len(frames) <= len(silence)
    assert {duration for _, duration in frames} == {960 if target == OPUS else 160}


def test_g711_of_one_law_becomes_the_other_by_a_table() -> None:
    made = make_transcoder(PCMU, PCMA)
    assert isinstance(made, Table)
    back = make_transcoder(PCMA, PCMU)
    codes = bytes(range(256))
    there = made.turn(codes)[0][0]
    again = back.turn(there)[0][0]
    near = sum(abs((a & 0x7F) - (b & 0x7F)) <= 1 for a, b in zip(codes, again, strict=True))
    assert near >= 250


@pytest.mark.parametrize("payload", [b"", b"x" * 2000])
def test_what_is_no_voice_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="no voice"):
        Transcoder(OPUS, PCMA).turn(payload)


@pytest.mark.parametrize("transcoded", [False, True], ids=["passed", "transcoded"])
def test_rfc3550_a_8_jitter_is_measured_by_the_clock_of_the_codec_that_is_spoken(
    transcoded: bool,
) -> None:
    """Agreed on Opus first and A-law after it, a phone may as well speak A-law."""

    class Receiver:
        def __init__(self) -> None:
            self.outgoing = Outgoing()

        def send_rtp(self, packet: bytes) -> None:
            assert packet

    incoming, receiver = Incoming(), Receiver()
    incoming.clock = receiver.outgoing.clock = 48000
    passed = {8: Route(8, (8000, 8000))}
    path = Path(incoming, receiver, passed)
    if transcoded:
        routes = {8: Route(0, (8000, 8000), PCMA, PCMU)}
        path = TranscodingPath(incoming, receiver, routes, {8: make_transcoder(PCMA, PCMU)})
    for at in range(100):
        head = struct.pack("!BBHII", 0x80, 8, at, 160 * at, 7)
        path.forward(head + b"\xd5" * 160, 100 + at * 0.02)
    assert (incoming.clock, receiver.outgoing.clock) == (8000, 8000)
    assert incoming.jitter_ms < 0.1
