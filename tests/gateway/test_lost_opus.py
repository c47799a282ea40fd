"""Packets of Opus that are lost on their way to a phone of G.711 (RFC 6716 §2.1.7, RFC 7587 §3.3)."""

from __future__ import annotations

import asyncio
import itertools
import struct

import numpy as np
import pytest

from sipengine.gateway import libopus
from sipengine.gateway.g711 import a_value, law
from sipengine.gateway.sdp.choosing import Route
from sipengine.gateway.sdp.formats import OPUS, PCMA
from sipengine.gateway.streams import Incoming, Outgoing
from sipengine.gateway.transcoding import FromOpus, ToOpus
from sipengine.gateway.transcoding_path import TranscodingPath
from tests.gateway.served import TO_PHONE, Served, audio, header
from tests.support.wait import eventually

COUNT = 100


class Phone:
    def __init__(self) -> None:
        self.outgoing = Outgoing()
        self.heard: list[bytes] = []

    def send_rtp(self, packet: bytes) -> None:
        self.heard.append(packet)

    @property
    def samples(self) -> np.ndarray:
        return np.array([a_value(code) / 32768 for each in self.heard for code in each[12:]])


def voice() -> bytes:
    """Two seconds of what rises and falls in pitch and loudness as speech does; 16-bit samples."""
    times = np.arange(160 * COUNT) / 8000
    phase = 2 * np.pi * np.cumsum(200 + 150 * np.sin(6 * np.pi * times)) / 8000
    loudness = 0.5 + 0.5 * np.sin(8 * np.pi * times) ** 2
    tones = np.array([np.sin(each * phase) / each for each in range(1, 8)])
    samples: bytes = (tones.sum(axis=0) * loudness * 6000).astype("<i2").tobytes()
    return samples


def spoken(*, again: bool) -> list[bytes]:
    """As a browser sends it; with `again` each packet says the one before it once more."""
    encoder = libopus.Encoder(8000)
    for request, value in ((4012, int(again)), (4014, 20 if again else 0)):
        encoder._library.opus_encoder_ctl(encoder._state, request, value)
    samples = voice()
    return [
        struct.pack("!BBHII", 0x80, 96, at + 1, at * 960, 7)
        + encoder.encode(samples[320 * at : 320 * (at + 1)])
        for at in range(COUNT)
    ]


def listen(packets: list[bytes]) -> Phone:
    phone = Phone()
    routes = {96: Route(8, (8000, 48000), OPUS, PCMA)}
    path = TranscodingPath(Incoming(), phone, routes, {96: FromOpus(PCMA)})
    for at, packet in enumerate(packets):
        path.forward(packet, 1 + at / 50)
    return phone


def is_whole(phone: Phone) -> bool:
    """Whether a frame of 20 ms follows another, by numbers and by time."""
    numbers = [header(packet)[1:3] for packet in phone.heard]
    steps = {(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(numbers)}
    return steps == {(1, 160)} and {len(packet) for packet in phone.heard} == {172}


@pytest.mark.parametrize(
    ("again", "off"), [(True, 0.25), (False, 4.0)], ids=["said-again", "made-up"]
)
def test_rfc6716_2_1_7_a_packet_that_is_lost_leaves_no_hole(again: bool, off: float) -> None:
    """What is said again is nearly what was said; what is made up is at least no silence."""
    packets = spoken(again=again)
    lost = range(15, COUNT, 10)
    phone = listen([each for at, each in enumerate(packets) if at not in lost])
    assert len(phone.heard) == COUNT
    assert is_whole(phone)
    whole, heard = (each.samples.reshape(-1, 160)[15::10] for each in (listen(packets), phone))
    assert np.mean((heard - whole) ** 2) < off * np.mean(whole**2)
    assert np.mean(heard**2) > 0.2 * np.mean(whole**2)


@pytest.mark.parametrize("missing", [2, 5])
def test_several_in_a_row_are_made_up_for(missing: int) -> None:
    packets = spoken(again=True)
    phone = listen([*packets[:40], *packets[40 + missing :]])
    assert len(phone.heard) == COUNT
    assert is_whole(phone)


def test_a_long_silence_stays_one() -> None:
    """As much as nobody could guess: the receiver knows of it by the time, as before."""
    packets = spoken(again=True)
    phone = listen([*packets[:40], *packets[47:]])
    assert len(phone.heard) == COUNT - 7
    stamps = [header(each)[2] for each in phone.heard]
    assert max(b - a for a, b in itertools.pairwise(stamps)) == 8 * 160


def test_a_packet_that_was_only_late_is_not_heard_twice() -> None:
    packets = spoken(again=True)
    packets[50], packets[51] = packets[51], packets[50]
    phone = listen(packets)
    assert len(phone.heard) == COUNT
    assert is_whole(phone)


def test_a_packet_that_comes_twice_is_heard_once() -> None:
    packets = spoken(again=True)
    phone = listen([each for each in packets for _ in range(2)])
    assert len(phone.heard) == COUNT
    assert is_whole(phone)


@pytest.mark.parametrize(
    ("number", "stamp"), [(3, 960), (3, 961), (3, 2 * 960 + 1), (4, 3 * 48_000), (2, 960)]
)
def test_numbers_and_times_that_do_not_fit_together_make_up_nothing(
    number: int, stamp: int
) -> None:
    first, second = spoken(again=True)[:2]
    odd = struct.pack("!BBHII", 0x80, 96, number, stamp, 7) + second[12:]
    again = struct.pack("!BBHII", 0x80, 96, number + 2, stamp, 7) + second[12:]  # no time passed
    assert len(listen([first, odd, again]).heard) == 3


async def test_rfc7587_3_3_a_packet_is_said_again_to_who_reports_that_it_loses_some(
    served: Served,
) -> None:
    caller, callee = served.phone(), served.phone()
    offer = await served.controller.offer(
        "call", "a", caller.sdp("8"), codec={"transcode": ["opus"]}, **TO_PHONE
    )
    number = next(item.number for item in audio(offer).formats if item.codec == OPUS)
    wants = f"a=fmtp:{number} minptime=10;useinbandfec=1\r\n"
    answer = callee.sdp("96", wants, opus=number)
    to_caller = await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE)
    call, path = served.gateway._calls["call"], served.gateway._calls["call"].legs[0].path
    samples = np.frombuffer(voice(), "<i2")
    spoken = law(False).encode(samples.tobytes())

    async def heard() -> list[bytes]:
        callee.received.clear()
        for at in range(COUNT):
            caller.send(audio(to_caller), spoken[160 * at : 160 * at + 160])
            await asyncio.sleep(0.0005)
        await eventually(lambda: len(callee.received) == COUNT)
        return [each[12:] for each in callee.received]

    assert isinstance(path, TranscodingPath)
    plain = await heard()
    call.legs[1].feedback.loss_256 = 26  # a tenth
    call.tick(asyncio.get_running_loop().time())
    again = await heard()
    call.legs[1].feedback.loss_256 = 0
    call.tick(asyncio.get_running_loop().time())
    await heard()
    for payloads, off in ((plain, 10.0), (again, 0.3)):
        whole, holed = libopus.Decoder(8000), libopus.Decoder(8000)
        wrong = total = 0.0
        for at, payload in enumerate(payloads):
            true = np.frombuffer(whole.decode(payload), "<i2").astype(float)
            if at % 10 == 5:
                missing = true
                continue
            if at % 10 == 6:
                made = np.frombuffer(holed.recover(payload, 160), "<i2")
                wrong += float(np.mean((made - missing) ** 2))
                total += float(np.mean(missing**2))
            holed.decode(payload)
        assert wrong < off * total
        assert (wrong > 0.5 * total) == (payloads is plain)


async def test_rfc7587_6_1_who_cannot_use_it_is_told_nothing_twice(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    offer = await served.controller.offer(
        "call", "a", caller.sdp("8"), codec={"transcode": ["opus"]}, **TO_PHONE
    )
    number = next(item.number for item in audio(offer).formats if item.codec == OPUS)
    await served.controller.answer("call", ("a", "b"), callee.sdp("96", opus=number), **TO_PHONE)
    call = served.gateway._calls["call"]
    call.legs[1].feedback.loss_256 = 26
    path = call.legs[0].path
    assert path is not None
    assert call._lost_percent(path) == 0


def test_a_loss_is_taken_in_steps_and_has_a_limit() -> None:
    made = ToOpus(PCMA)
    taken = []
    for percent in (0, 1, 4, 6, 30, 99, 0):
        made.expect_loss(percent)
        taken.append(made._expected)
    assert taken == [0, 5, 5, 10, 30, 30, 0]
