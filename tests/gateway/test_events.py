"""Keys held for long, and keys under way when a call changes or ends (RFC 4733 §2.5.1.3, §2.5.2.3)."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import Any

import pytest

from sipengine.gateway.events import END, EVENT, LONGEST, LastingEvent, Segments
from sipengine.gateway.keys import HeardKeys
from tests.gateway.served import HERE, TO_PHONE, Phone, Served, audio, header
from tests.support.wait import eventually


def packet(stamp: int, code: int, duration: int, *, end: bool = False, marker: bool = False, ssrc: int = 7) -> bytes:  # fmt: skip
    event = EVENT.pack(code, 10 | (END if end else 0), duration)
    return struct.pack("!BBHII", 0x80, 97 | 0x80 * marker, 1, stamp & 0xFFFFFFFF, ssrc) + event


def held(code: int, seconds: float, stamp: int, *, frame: int = 960, browser: bool = False) -> list[bytes]:  # fmt: skip
    """A key at 48 kHz as RFC 4733 §2.5.1.3 wants it, or as browsers do: a segment begins with the next frame."""
    made: list[bytes] = []
    begun = 0
    total = int(seconds * 48000)
    for at in range(frame, total + frame, frame):
        at = min(at, total)
        if at - begun > LONGEST:
            made.append(packet(stamp + begun, code, LONGEST))
            taken = begun + LONGEST
            begun = at if browser else taken
            made.append(packet(stamp + begun, code, at - taken))
        else:
            made.append(packet(stamp + begun, code, at - begun, marker=at == frame))
    last = made[-1]
    ending = last[:13] + bytes([last[13] | END]) + last[14:]
    return [*made, ending, ending, ending]


class Ear:
    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []
        self.keys = HeardKeys({97: 48000}, lambda event, ms: self.told.append((event, ms)))

    def hears(self, *packets: bytes) -> None:
        for each in packets:
            self.keys.take(each)


@pytest.mark.parametrize("browser", [False, True], ids=["as-written", "as-browsers-do"])
@pytest.mark.parametrize("seconds", [0.2, 1.36, 1.5, 2.8, 10.0])
def test_rfc4733_2_5_2_3_a_key_held_for_long_is_one_key(seconds: float, browser: bool) -> None:
    ear = Ear()
    ear.hears(*held(5, seconds, 0xFFFFF000, browser=browser), *held(6, 0.1, 900_000))
    assert [code for code, _ in ear.told] == [5, 6]
    assert abs(ear.told[0][1] - seconds * 1000) < 200


def test_rfc4733_2_5_2_3_though_the_last_reports_of_a_segment_were_lost() -> None:
    ear = Ear()
    packets = held(5, 2.0, 1000)
    ear.hears(*packets[:66], *packets[70:])
    assert [code for code, _ in ear.told] == [5]


@pytest.mark.parametrize(
    ("gap", "code", "marker"),
    [(LONGEST, 5, True), (LONGEST, 6, False), (LONGEST + 9600, 5, False), (9600, 5, False)],
    ids=["a-marker", "another-key", "a-pause", "much-sooner"],
)
def test_rfc4733_2_5_1_3_what_is_no_segment_is_another_key(
    gap: int, code: int, marker: bool
) -> None:
    """All packets with an end were lost."""
    ear = Ear()
    ear.hears(packet(1000, 5, LONGEST), packet(1000 + gap, code, 960, marker=marker, end=True))
    assert [each for each, _ in ear.told] == [5, code]


def test_a_key_after_a_short_one_at_that_distance_is_another() -> None:
    ear = Ear()
    ear.hears(packet(1000, 5, 4800), packet(1000 + LONGEST, 5, 960, end=True))
    assert [each for each, _ in ear.told] == [5, 5]


def test_a_report_of_the_segment_before_that_was_overtaken_says_nothing_new() -> None:
    ear = Ear()
    packets = held(5, 1.5, 1000)
    ear.hears(*packets[:-3], packets[10], *packets[-3:], packets[20])
    assert [code for code, _ in ear.told] == [5]


def test_rfc4733_2_5_1_3_a_long_event_goes_out_in_segments() -> None:
    out = Segments(500)
    heard = LastingEvent()
    made: list[tuple[int, bytes]] = []
    for at in range(960, 200_000, 960):
        made += out.packets(3, 10, at)
    made += out.packets(3, 10 | END, 200_000)
    stamps = list(dict.fromkeys(stamp for stamp, _ in made))
    assert stamps == [500, 500 + LONGEST, 500 + 2 * LONGEST, 500 + 3 * LONGEST]
    for stamp in stamps[:-1]:
        last = [EVENT.unpack(payload) for at, payload in made if at == stamp][-1]
        assert last == (3, 10, LONGEST)
    assert EVENT.unpack(made[-1][1]) == (3, 10 | END, 200_000 - 3 * LONGEST)
    assert [heard.begins(97, stamp, 1, 48000, payload) for stamp, payload in made].count(True) == 1
    assert heard.duration == 200_000


async def call(
    served: Served, caller: Phone, callee: Phone, formats: tuple[str, str], **wish: Any
) -> tuple[object, object]:
    """Who offers the first formats calls who answers the second; their ends at the gateway."""
    to_callee = await served.controller.offer("call", "a", caller.sdp(formats[0]), **TO_PHONE, **wish)  # fmt: skip
    offered = {
        (item.codec.name, item.codec.clock): item.number for item in audio(to_callee).formats
    }
    numbers: dict[str, Any] = {
        "opus": offered.get(("OPUS", 48000), 96),
        "wide_event": offered.get(("TELEPHONE-EVENT", 48000), 97),
        "event": offered.get(("TELEPHONE-EVENT", 8000), 101),
    }
    answer = callee.sdp(formats[1], **numbers)
    to_caller = await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE, **wish)  # fmt: skip
    return audio(to_caller), audio(to_callee)


async def test_rfc4733_2_5_2_3_a_long_key_of_an_opus_phone_is_one_to_a_phone_of_8_khz(
    served: Served,
) -> None:
    caller, callee = served.phone(), served.phone()
    where, _ = await call(served, caller, callee, ("96 97", "8 101"), codec={"transcode": ["PCMA"]})
    packets = held(5, 3.0, 1000)
    for at, each in enumerate(packets):
        data = each[:2] + at.to_bytes(2, "big") + each[4:]
        caller.rtp.sendto(data, (where.host, where.port))  # type: ignore[attr-defined]
        await asyncio.sleep(0.0005)
    await eventually(lambda: len(callee.received) == len(packets))
    assert len({header(each)[2] for each in callee.received}) == 1
    reports = [EVENT.unpack(each[12:]) for each in callee.received]
    assert [flags >> 7 for _, flags, _ in reports[-4:]] == [0, 1, 1, 1]
    assert [length for _, _, length in reports] == sorted(length for _, _, length in reports)
    assert abs(reports[-1][2] - 24000) < 10


async def test_rfc4733_2_5_1_3_a_long_key_of_8_khz_is_cut_for_an_opus_phone(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    where, _ = await call(served, caller, callee, ("8 101", "96 97"), codec={"transcode": ["opus"]})
    for at in range(1, 101):
        flags = 10 | (END if at == 100 else 0)
        caller.rtp.sendto(
            caller.packet(EVENT.pack(5, flags, at * 160), 101 | (0x80 if at == 1 else 0), 0),
            (where.host, where.port),  # type: ignore[attr-defined]
        )
        await asyncio.sleep(0.0005)
    await eventually(lambda: len(callee.received) == 101)
    stamps = list(dict.fromkeys(header(each)[2] for each in callee.received))
    assert [(stamp - stamps[0]) & 0xFFFFFFFF for stamp in stamps] == [0, LONGEST]
    assert [each[1] >> 7 for each in callee.received].count(1) == 1
    assert EVENT.unpack(callee.received[-1][12:]) == (5, 10 | END, 96_000 - LONGEST)


async def test_a_long_key_is_played_in_segments(served: Served) -> None:
    """By RFC 4733 §2.5.1.3, to who counts at 48 kHz."""
    old, callee = served.phone(), served.phone()
    await call(served, old, callee, ("8", "96 97"), **{"codec": {"transcode": ["opus"]}, "DTMF-log-dest": f"{HERE}:9"})  # fmt: skip
    told = await served.controller.ask(
        command="play DTMF", call_id="call", from_tag="a", code=7, duration=1500
    )
    assert told["result"] == b"ok", told
    await eventually(lambda: len(callee.received) == 75 + 1 + 2, 10)
    lasting = LastingEvent()
    for each in callee.received:
        _, second, _, stamp, ssrc = struct.unpack_from("!BBHII", each)
        lasting.begins(second, stamp, ssrc, 48000, each[12:])
    assert (lasting.over, lasting.duration) == (True, 72_000)
    assert len({header(each)[2] for each in callee.received}) == 2


class Log:
    """Hears of keys, as `DTMF-log-dest`."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HERE, 0))
        self.socket.setblocking(False)
        self.place = f"{HERE}:{self.socket.getsockname()[1]}"

    def keys(self) -> list[int]:
        found = []
        while True:
            try:
                found.append(json.loads(self.socket.recv(2000))["event"])
            except BlockingIOError:
                return found


async def test_a_key_that_is_held_when_the_call_is_deleted_is_told_before_the_answer(
    served: Served,
) -> None:
    caller, old, log = served.phone(), served.phone(), Log()
    served.closers.append(log.socket.close)
    where, _ = await call(served, caller, old, ("8 101", "8"), **{"DTMF-log-dest": log.place})
    event = EVENT.pack(9, 10, 800)
    caller.rtp.sendto(caller.packet(event, 101), (where.host, where.port))  # type: ignore[attr-defined]
    leg = served.gateway._calls["call"].legs[0]
    await eventually(lambda: leg.incoming.packets == 1)
    assert not log.keys()
    await served.controller.ask(command="delete", call_id="call")
    assert log.keys() == [9]


async def test_an_agreement_in_the_midst_of_a_key_has_it_told_once(served: Served) -> None:
    """The ends that come again find the same ear, though the way is another."""
    caller, old, log = served.phone(), served.phone(), Log()
    served.closers.append(log.socket.close)
    wish = {"DTMF-log-dest": log.place}
    where, _ = await call(served, caller, old, ("0 8 101", "8"), **wish)
    ends = [caller.packet(EVENT.pack(9, 10 | END, 800), 101, 0) for _ in range(3)]
    leg = served.gateway._calls["call"].legs[0]
    for count, each in enumerate(ends, 1):
        before = leg.path
        await call(served, caller, old, ("0 8 101", "0 8" if count % 2 else "8"), **wish)
        assert leg.path is not before
        caller.rtp.sendto(each, (where.host, where.port))  # type: ignore[attr-defined]
        await eventually(lambda: leg.incoming.packets == count)  # noqa: B023
    assert log.keys() == [9]


async def test_no_key_is_played_after_the_end_of_the_call_nor_stopped_by_a_refresh(
    served: Served,
) -> None:
    old, callee = served.phone(), served.phone()
    wish = {"DTMF-log-dest": f"{HERE}:9"}
    await call(served, old, callee, ("8", "8 101"), **wish)
    for _ in range(3):
        await served.controller.ask(
            command="play DTMF", call_id="call", from_tag="a", code=7, duration=100
        )
    await eventually(lambda: len(callee.received) > 2)
    await call(served, old, callee, ("8", "8 101"), **wish)  # a session timer's re-INVITE
    await eventually(lambda: len(callee.received) > 9)
    leg = served.gateway._calls["call"].legs[1]
    await served.controller.ask(command="delete", call_id="call")
    heard, unsent = len(callee.received), leg.unsent
    await asyncio.sleep(0.1)  # five steps of a key
    assert len(callee.received) - heard <= 1  # what was under way
    assert leg.unsent == unsent
