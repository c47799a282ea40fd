"""Pressed keys where one side speaks no telephone events (RFC 4733): told to the controller, and played."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from sipengine.media.ng import NgClient
from sipengine.services.ports import (
    ANSWER,
    OFFER,
    PLAY_KEY,
    TO_RTP,
    MediaAnswer,
    MediaRequest,
)
from tests.gateway.served import HERE, TO_PHONE, Phone, Served, audio, header
from tests.support.wait import eventually


class Listener:
    """The controller's ear for pressed keys."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HERE, 0))
        self.socket.setblocking(False)
        self.place = f"{HERE}:{self.socket.getsockname()[1]}"

    async def key(self) -> dict[str, object]:
        async with asyncio.timeout(5):
            told = await asyncio.get_running_loop().sock_recv(self.socket, 2000)
        heard: dict[str, object] = json.loads(told)
        return heard


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    made = Listener()
    yield made
    made.socket.close()


def event(code: int, duration: int, *, end: bool = False) -> bytes:
    return struct.pack("!BBH", code, 10 | (0x80 if end else 0), duration)


def press(phone: Phone, where: object, code: int, *, number: int = 101, ends: int = 3) -> None:
    """As a phone does it: one timestamp, the end three times (RFC 4733 §2.5.1)."""
    phone.stamp += 160
    steps = [event(code, 160 * step) for step in range(1, 8)]
    for payload in [*steps, *[event(code, 1280, end=True)] * ends]:
        phone.rtp.sendto(phone.packet(payload, number, 0), (where.host, where.port))  # type: ignore[attr-defined]


async def test_keys_that_the_other_side_cannot_be_sent_are_told_once_each(
    served: Served, listener: Listener
) -> None:
    caller, old = served.phone(), served.phone()
    wish = {**TO_PHONE, "DTMF-log-dest": listener.place}
    to_old = await served.controller.offer("call", "a", caller.sdp("8 101"), **wish)
    to_caller = await served.controller.answer("call", ("a", "b"), old.sdp("8"), **wish)
    there = audio(to_caller)
    assert [item.number for item in there.formats] == [8, 101]
    await caller.talk(there, 2)
    press(caller, there, 5)
    heard = await listener.key()
    assert (heard["callid"], heard["source_tag"], heard["type"]) == ("call", "a", "DTMF")
    assert (heard["event"], heard["duration"]) == (5, 160)
    press(caller, there, 11, ends=0)  # its end was lost: the next key tells
    press(caller, there, 1)
    assert [(await listener.key())["event"] for _ in range(2)] == [11, 1]
    await caller.talk(there, 2)
    await eventually(lambda: len(old.received) == 4)
    numbers = [header(packet) for packet in old.received]
    assert {number for number, _, _, _ in numbers} == {8}
    assert [sequence - numbers[0][1] for _, sequence, _, _ in numbers] == [0, 1, 2, 3]
    assert audio(to_old).formats


async def test_an_offer_without_events_is_answered_for_by_us(
    served: Served, listener: Listener
) -> None:
    old, callee = served.phone(), served.phone()
    wish = {**TO_PHONE, "DTMF-log-dest": listener.place}
    to_callee = await served.controller.offer("call", "a", old.sdp("8"), **wish)
    offered = {item.codec.name: item.number for item in audio(to_callee).formats}
    number = offered["TELEPHONE-EVENT"]
    sdp = callee.sdp("8 101", event=number)
    await served.controller.answer("call", ("a", "b"), sdp, **wish)
    press(callee, audio(to_callee), 3, number=number)
    heard = await listener.key()
    assert (heard["source_tag"], heard["event"]) == ("b", 3)


async def test_without_a_listener_nobody_is_offered_what_nobody_hears(served: Served) -> None:
    old = served.phone()
    to_callee = await served.controller.offer("call", "a", old.sdp("8"), **TO_PHONE)
    assert [item.codec.name for item in audio(to_callee).formats] == ["PCMA"]


async def test_a_key_is_played_as_events_and_the_voice_goes_on_behind_it(served: Served) -> None:
    old, callee = served.phone(), served.phone()
    wish = {**TO_PHONE, "DTMF-log-dest": f"{HERE}:9"}
    await served.controller.offer("call", "a", old.sdp("8"), **wish)
    to_caller = await served.controller.answer(
        "call", ("a", "b"), callee.sdp("8 101", event=127), **wish
    )
    await old.talk(audio(to_caller), 3)
    await eventually(lambda: len(callee.received) == 3)
    for code in ("5", 11):
        told = await served.controller.ask(
            command="play DTMF", call_id="call", from_tag="a", code=code, duration=100
        )
        assert told["result"] == b"ok", told
    await eventually(lambda: len(callee.received) == 3 + 2 * 7)
    await old.talk(audio(to_caller), 2)
    await eventually(lambda: len(callee.received) == 3 + 2 * 7 + 2)
    numbers = [header(packet) for packet in callee.received]
    assert [sequence - numbers[0][1] for _, sequence, _, _ in numbers] == list(range(19))
    first, second = callee.received[3:10], callee.received[10:17]
    assert {header(packet)[0] for packet in first + second} == {127}
    assert [packet[1] >> 7 for packet in first] == [1, 0, 0, 0, 0, 0, 0]
    assert len({header(packet)[2] for packet in first}) == 1
    assert header(second[0])[2] - header(first[0])[2] >= 800
    parts = [struct.unpack("!BBH", packet[12:]) for packet in first]
    assert [(code, flags >> 7, length) for code, flags, length in parts] == [
        (5, 0, 160), (5, 0, 320), (5, 0, 480), (5, 0, 640), (5, 1, 800), (5, 1, 800), (5, 1, 800),
    ]  # fmt: skip
    assert second[0][12] == 11
    stamps = [stamp for _, _, stamp, _ in numbers]
    assert stamps == sorted(stamps)


@pytest.mark.parametrize(
    ("tag", "code", "why"),
    [
        ("b", "5", "takes no telephone events"),
        ("a", "x", "Out of range"),
        ("a", 16, "Out of range"),
    ],
)
async def test_what_cannot_be_played_is_said(
    served: Served, tag: str, code: str | int, why: str
) -> None:
    old, callee = served.phone(), served.phone()
    await served.controller.offer("call", "a", old.sdp("8"), **TO_PHONE)
    await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_PHONE)
    told = await served.controller.ask(command="play DTMF", call_id="call", from_tag=tag, code=code)
    assert why in told["error-reason"].decode()


class Told:
    """A `MediaListener`, and who waits for the gateway's answers."""

    def __init__(self) -> None:
        self.keys: list[tuple[str, str, int, int]] = []
        self.answers: list[MediaAnswer] = []

    def on_key(self, name: str, tag: str, code: int, duration: int, now: float) -> None:
        self.keys.append((name, tag, code, duration))

    def on_gateway_lost(self, instance: int, now: float) -> None:
        raise AssertionError("it is there")

    def on_media(self, answer: MediaAnswer, now: float) -> None:
        self.answers.append(answer)


async def test_the_engine_hears_of_keys_and_has_them_played(served: Served) -> None:
    caller, old, told = served.phone(), served.phone(), Told()
    client = NgClient(asyncio.get_running_loop(), [(HERE, served.server.port)], lambda now: None)
    await client.open()
    client.listen(told)

    async def ask(request: MediaRequest) -> MediaAnswer:
        count = len(told.answers)
        client.ask(request, told)
        await eventually(lambda: len(told.answers) > count)
        return told.answers[-1]

    await ask(MediaRequest(OFFER, 0, "call", "a", "", caller.sdp("8 101"), TO_RTP))
    answer = await ask(MediaRequest(ANSWER, 0, "call", "a", "b", old.sdp("8"), TO_RTP))
    press(caller, audio(answer.sdp), 9)
    await eventually(lambda: bool(told.keys))
    assert told.keys == [("call", "a", 9, 160)]
    played = await ask(MediaRequest(PLAY_KEY, 0, "call", "b", code=4, duration=10))
    assert played.ok
    await eventually(lambda: len(caller.received) == 7)
    assert {(header(packet)[0], packet[12]) for packet in caller.received} == {(101, 4)}
    client.close()


async def test_reports_of_strangers_and_broken_ones_are_dropped(served: Served) -> None:
    told = Told()
    client = NgClient(asyncio.get_running_loop(), [(HERE, served.server.port)], lambda now: None)
    await client.open()
    client.listen(told)
    ear = client.instances[0].keys
    assert ear is not None
    host, _, port = ear.place.rpartition(":")
    report = b'{"callid":"c","source_tag":"a","event":%d,"duration":100}'
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.sendto(report % 1, (host, int(port)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gateway:
        for data in (b"no", b"[]", b"{}", report % 99, report % 2):
            gateway.sendto(data, (host, int(port)))
    await eventually(lambda: bool(told.keys))
    assert told.keys == [("c", "a", 2, 100)]
    client.close()
