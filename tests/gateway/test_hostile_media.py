"""Hostile and odd packets at a phone's leg: headers that lie, jumps, holds, keys that come out of order."""

from __future__ import annotations

import asyncio
import itertools
import struct

import pylibsrtp
import pytest

from sipengine.gateway import rtcp, srtp
from sipengine.gateway.keys import HeardKeys
from sipengine.gateway.path import Path, bare
from sipengine.gateway.sdp.choosing import Route
from sipengine.gateway.sdp.formats import PCMA, PCMU
from sipengine.gateway.sdp.sides import SUITES, Crypto, Remote
from sipengine.gateway.streams import Incoming, Outgoing
from sipengine.gateway.transcoding import make_transcoder
from sipengine.gateway.transcoding_path import TranscodingPath
from tests.gateway.served import TO_PHONE, TO_SRTP_PHONE, Phone, Served, audio, header
from tests.support.wait import eventually

VOICE = b"\xd5" * 160


def raw(
    first: int, rest: bytes, *, number: int = 8, sequence: int = 1, stamp: int = 160, ssrc: int = 7
) -> bytes:
    return struct.pack("!BBHII", first, number, sequence, stamp, ssrc) + rest


class Ear:
    """A receiver that keeps what it is sent."""

    def __init__(self) -> None:
        self.outgoing = Outgoing()
        self.heard: list[bytes] = []

    def send_rtp(self, packet: bytes) -> None:
        self.heard.append(packet)


BROKEN = {
    "padding of no octets": raw(0xA0, VOICE[:-1] + b"\0"),
    "padding longer than the packet": raw(0xA0, VOICE[:-1] + b"\xff"),
    "padding without an octet": raw(0xA0, b""),
    "fifteen sources, room for none": raw(0x8F, b"\xd5" * 20),
    "an extension without a head": raw(0x90, b"\xbe\xde\0"),
    "an extension of 262 kB": raw(0x90, b"\xbe\xde\xff\xff" + VOICE),
    "version 1": raw(0x40, VOICE),
    "version 0": raw(0x00, VOICE),
    "one octet": b"\x80",
    "eleven octets": raw(0x80, b"")[:11],
}


@pytest.mark.parametrize("packet", BROKEN.values(), ids=list(BROKEN))
@pytest.mark.parametrize("decoded", [False, True], ids=["passed", "transcoded"])
def test_rfc3550_a_1_a_header_that_lies_is_no_packet(packet: bytes, decoded: bool) -> None:
    ear = Ear()
    path = make_path(ear, decoded)
    path.forward(packet, 1.0)
    assert (ear.heard, path.unwanted, path.incoming.packets) == ([], 1, 0)
    path.forward(raw(0x80, VOICE), 1.02)
    assert len(ear.heard) == 1


def make_path(ear: Ear, decoded: bool) -> Path:
    if not decoded:
        return Path(Incoming(), ear, {8: Route(8, (8000, 8000))})
    routes = {8: Route(0, (8000, 8000), PCMA, PCMU)}
    return TranscodingPath(Incoming(), ear, routes, {8: make_transcoder(PCMA, PCMU)})


def test_rfc3550_5_1_what_was_not_agreed_on_is_taken_off() -> None:
    extension = b"\xbe\xde\0\x01abcd"
    assert bare(0x82, b"s" * 8 + VOICE) == VOICE
    assert bare(0x90, extension + VOICE) == VOICE
    assert bare(0xA0, VOICE + b"\0\0\0\x04") == VOICE
    assert bare(0xB1, b"srce" + extension + VOICE + b"\0\x02") == VOICE
    assert bare(0xA0, b"\0\0\x03") == b""  # padding alone is allowed


@pytest.mark.parametrize("leap", [-9_000_000, -50_000, 0x7FFF0000, 400_000])
def test_a_timestamp_that_leaps_is_heard_on_where_it_is_transcoded(leap: int) -> None:
    ear = Ear()
    path = make_path(ear, True)
    sent = 0
    for start in (10_000_000, 10_000_000 + leap):
        for step in range(50):
            stamp = (start + 160 * step) & 0xFFFFFFFF
            path.forward(raw(0x80, VOICE, sequence=sent + 1, stamp=stamp), 1 + sent / 50)
            sent += 1
    assert len(ear.heard) == 100
    stamps = [header(packet)[2] for packet in ear.heard]
    assert [(b - a) & 0xFFFFFFFF for a, b in itertools.pairwise(stamps[50:])] == [160] * 49


def test_a_transcoded_call_of_a_week_is_heard_to_its_end() -> None:
    """Half of all timestamps, 2^31 of 8 kHz, are three days; of Opus' 48 kHz twelve hours."""
    ear = Ear()
    path = make_path(ear, True)
    for hour in range(24 * 7):
        stamp = hour * 3600 * 8000 & 0xFFFFFFFF
        path.forward(raw(0x80, VOICE, sequence=hour + 1, stamp=stamp), 1.0 + hour * 3600)
    assert len(ear.heard) == 24 * 7


REPORT = struct.pack("!BBHI", 0x80, 201, 1, 7)


def block(ssrc: int) -> bytes:
    return struct.pack("!BBHI", 0x81, 201, 7, 7) + struct.pack("!IIIIII", ssrc, 5, 0, 99, 0, 0)


@pytest.mark.parametrize(
    "rest",
    [
        b"\x81\xcb\xff\xff",  # BYE of 262 kB
        b"\x81\xcb\0\x05\0\0\0\x07",  # BYE longer than what is there
        b"\x41\xcb\0\x01\0\0\0\x07",  # version 1
        b"\x81\xca\0",  # half a head
        b"\0\0\0\0",
    ],
)
def test_rfc3550_a_2_a_compound_packet_that_lies_counts_for_nothing(rest: bytes) -> None:
    feedback, outgoing = rtcp.Feedback(), Outgoing()
    data = block(outgoing.ssrc) + rest
    assert not rtcp.read(data, Incoming(), outgoing, feedback, 1.0)
    assert (feedback.jitter, feedback.lost) == (0, 0)
    assert rtcp.read(block(outgoing.ssrc), Incoming(), outgoing, feedback, 1.0)
    assert (feedback.jitter, feedback.lost) == (99, 5)


@pytest.mark.parametrize(
    "data",
    [
        b"\x9f" + REPORT[1:],  # 31 reports, none there
        b"\x9f\xc8\0\x06" + bytes(24),  # a sender report that promises 31 more
        REPORT + struct.pack("!BBHI", 0x81, 203, 1, 7),  # BYE
        REPORT + b"\x80\xcb\0\0",  # BYE of nobody
        REPORT + b"\x85\xcc\0\x02\0\0\0\x07name",  # APP
        REPORT + b"\x80\xcf\0\x01\0\0\0\x07",  # XR (RFC 3611)
        REPORT + b"\x81\xce\0\x02\0\0\0\x07\xff\xff\xff\xff",  # PLI of an unknown source
        REPORT + b"\x81\xcd\0\x03\0\0\0\x07\xff\xff\xff\xff\0\x01\xff\xff",  # NACK
        REPORT + b"\x80\xfa\0\0",  # a kind nobody knows
    ],
)
def test_rfc4585_6_1_reports_that_are_not_for_us_change_nothing(data: bytes) -> None:
    feedback = rtcp.Feedback()
    assert rtcp.read(data, Incoming(), Outgoing(), feedback, 1.0)
    assert (feedback.jitter, feedback.lost, feedback.round_trip) == (0, 0, 0.0)


async def call(served: Served, caller: Phone, callee: Phone) -> tuple[Remote, Remote]:
    to_callee = await served.controller.offer("call", "a", caller.sdp(), **TO_PHONE)
    to_caller = await served.controller.answer("call", ("a", "b"), callee.sdp(), **TO_PHONE)
    return audio(to_caller), audio(to_callee)


@pytest.mark.parametrize("zero", ["0.0.0.0", "0::0"])
async def test_rfc3264_8_4_nothing_is_sent_to_who_holds_by_address_though_it_talks(
    served: Served, zero: str
) -> None:
    caller, callee = served.phone(), served.phone()
    for_caller, for_callee = await call(served, caller, callee)
    kind = "IP6" if ":" in zero else "IP4"
    held = caller.sdp().replace(f"c=IN IP4 {caller.host}", f"c=IN {kind} {zero}")
    assert (
        audio(await served.controller.offer("call", "a", held, **TO_PHONE)).direction == "inactive"
    )
    answer = callee.sdp().replace("sendrecv", "inactive")
    await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE)
    await caller.talk(for_caller, 2)  # its music
    await eventually(lambda: len(callee.received) == 2)
    await callee.talk(for_callee, 3)
    told = await served.controller.ask(command="query", call_id="call")
    while told["quality"]["a"]["unsent"] < 3:
        told = await served.controller.ask(command="query", call_id="call")
    assert not caller.received
    for_caller, for_callee = await call(served, caller, callee)
    await callee.talk(for_callee, 2)
    await eventually(lambda: len(caller.received) == 2)


async def test_rfc3550_8_2_a_peer_with_our_own_source_is_heard(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    for_caller, for_callee = await call(served, caller, callee)
    await callee.talk(for_callee, 2)
    await eventually(lambda: len(caller.received) == 2)
    caller.ssrc = header(caller.received[0])[3]
    await caller.talk(for_caller, 3)
    await callee.talk(for_callee, 2)
    await eventually(lambda: len(callee.received) == 3 and len(caller.received) == 4)


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"])
async def test_rfc3711_3_3_1_numbers_roll_over_through_loss_and_reordering(
    served: Served, suite: str
) -> None:
    """In from a phone with a key, and out to it: twice past 65535, every tenth lost, neighbours swapped."""
    caller, callee = served.phone(), served.phone()
    key = Crypto(1, suite, bytes(range(SUITES[suite])))
    offer = caller.sdp("8 101", key.line() + "\r\n", "RTP/SAVP")
    to_callee = audio(await served.controller.offer("call", "a", offer, **TO_PHONE))
    told = await served.controller.answer("call", ("a", "b"), callee.sdp("8 101"), **TO_SRTP_PHONE)
    to_caller = audio(told)
    protect = srtp.sending(key).protect
    unprotect = srtp.receiving(to_caller.cryptos[0]).unprotect
    heard = 0
    for start in (65400, 30000, 55000, 65400):
        caller.sequence = callee.sequence = start - 1 & 0xFFFF
        packets = [(protect(caller.packet()), callee.packet()) for _ in range(200)]
        kept = [pair for place, pair in enumerate(packets) if place % 10 != 5]
        for place in range(0, len(kept) - 1, 4):
            kept[place], kept[place + 1] = kept[place + 1], kept[place]
        for sealed, plain in kept:
            caller.rtp.sendto(sealed, (to_caller.host, to_caller.port))
            callee.rtp.sendto(plain, (to_callee.host, to_callee.port))
            await asyncio.sleep(0.0005)
        heard += len(kept)
        # Of a sender that counts anew, what was overtaken by its first packet has no number any more.
        await eventually(lambda: len(callee.received) >= heard - 4)  # noqa: B023
        await eventually(lambda: len(caller.received) >= heard - 4)  # noqa: B023
    assert {unprotect(packet)[12:] for packet in caller.received} == {VOICE}
    numbers = [header(packet)[1] for packet in caller.received]
    assert len(numbers) == len(set(numbers))  # no key stream is used twice (RFC 3711 §9.1)
    figures = (await served.controller.ask(command="query", call_id="call"))["quality"]["a"]
    assert figures["unsent"] == 0


def test_a_peer_with_the_key_sends_from_so_many_sources_and_no_more() -> None:
    """libsrtp would keep a stream for each, and takes longer with every one."""
    key = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(30))
    opener = srtp.Opener(srtp.receiving(key))
    sealed = [srtp.sending(key).protect(raw(0x80, VOICE, ssrc=at)) for at in range(1, 100)]
    forged = raw(0x80, VOICE, ssrc=200) + bytes(10)
    for _ in range(2 * srtp.MAX_SOURCES):
        with pytest.raises(pylibsrtp.Error):
            opener.rtp(forged)  # a stranger uses up nothing
    for packet in sealed[: srtp.MAX_SOURCES]:
        assert opener.rtp(packet)[12:] == VOICE
    with pytest.raises(pylibsrtp.Error, match="too many sources"):
        opener.rtp(sealed[srtp.MAX_SOURCES])
    again = srtp.sending(key).protect(raw(0x80, VOICE, ssrc=1, sequence=9))
    assert opener.rtp(again)[12:] == VOICE


def key_packet(stamp: int, code: int, *, end: bool = False, ssrc: int = 7) -> bytes:
    event = struct.pack("!BBH", code, 10 | (0x80 if end else 0), 800)
    return raw(0x80, event, number=101, stamp=stamp, ssrc=ssrc)


def test_rfc4733_2_5_1_4_an_end_that_is_overtaken_presses_nothing_twice() -> None:
    told: list[int] = []
    ear = HeardKeys({101: 8000}, lambda event, _: told.append(event))
    ear.take(key_packet(1000, 1))
    ear.take(key_packet(1000, 1, end=True))
    ear.take(key_packet(3000, 2))
    ear.take(key_packet(1000, 1, end=True))  # the repeated end, late
    ear.take(key_packet(3000, 2))
    ear.take(key_packet(3000, 2, end=True))
    ear.take(key_packet(500, 3, end=True, ssrc=8))  # another source counts its own time
    assert told == [1, 2, 3]


def test_rfc4733_2_5_1_4_a_key_whose_ends_were_all_lost_is_told() -> None:
    told: list[int] = []
    ear = HeardKeys({101: 8000}, lambda event, _: told.append(event))
    ear.take(key_packet(1000, 9))
    ear.tick(ear._heard_at + 0.1)
    assert not told
    for _ in range(2):
        ear.tick(ear._heard_at + 1.0)
    assert told == [9]


@pytest.mark.parametrize(
    "packet",
    [
        key_packet(1, 200, end=True),  # an event that is no key
        raw(0x80, b"\x05\x8a\0", number=101),  # three octets
        raw(0x80, b"", number=101),
        raw(0xA0, b"\x05\x8a\0\xff", number=101),  # padding that lies
        raw(0x9F, b"\x05\x8a\0\xa0", number=101),
    ],
)
def test_rfc4733_3_2_what_is_no_key_is_not_told(packet: bytes) -> None:
    told: list[int] = []
    HeardKeys({101: 8000}, lambda event, _: told.append(event)).take(packet)
    assert not told


async def test_rfc3711_9_1_one_number_protects_one_packet(served: Served) -> None:
    """A phone that sends two packets of one number would have two written with one key stream."""
    caller, callee = served.phone(), served.phone()
    key = Crypto(1, "AEAD_AES_256_GCM", bytes(range(44)))
    offer = caller.sdp("8 101", key.line() + "\r\n", "RTP/SAVP")
    to_callee = audio(await served.controller.offer("call", "a", offer, **TO_PHONE))
    await served.controller.answer("call", ("a", "b"), callee.sdp("8 101"), **TO_SRTP_PHONE)
    for octet in (b"\x01", b"\x02", b"\x03"):
        callee.rtp.sendto(raw(0x80, octet * 160, sequence=9), (to_callee.host, to_callee.port))
    callee.rtp.sendto(raw(0x80, VOICE, sequence=10, stamp=320), (to_callee.host, to_callee.port))
    await eventually(lambda: len(caller.received) >= 2)
    assert len({header(packet)[1] for packet in caller.received}) == len(caller.received) == 2


DYNAMIC = " ".join(str(number) for number in range(96, 128))
MAPS = "".join(f"a=rtpmap:{number} X{number}/8000\r\n" for number in range(96, 128))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("o=phone", "o=-\r\no=phone"),
        ("m=audio {port}", "m=audio 0000000{port}99999"),
        ("a=ptime:20", "a=rtpmap:98 X/00000019999999999\r\na=ptime:20"),
        (
            "a=ptime:20",
            "a=crypto:\xb2 AES_CM_128_HMAC_SHA1_80 inline:" + "QUFB" * 10 + "\r\na=ptime:20",
        ),
        ("m=audio {port} RTP/AVP 8", f"m=audio {{port}} RTP/AVP 8 {DYNAMIC}\r\n{MAPS}a=x"),
        ("c=IN IP4 127.0.0.1", "c=IN IP6 fe80::1%nosuch"),
        ("c=IN IP4 127.0.0.1", "c=IN IP6 ::ffff:127.0.0.1"),
        ("c=IN IP4 127.0.0.1", "c=IN IP4 127.1"),
        ("m=audio {port}", "m=audio 65535"),
    ],
)
async def test_a_description_that_lies_gets_an_answer_and_breaks_no_loop(
    served: Served, old: str, new: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway that did not answer would be taken for dead, with all of its calls."""
    caller, callee = served.phone(), served.phone()
    sdp = caller.sdp("8").replace(old.format(port=caller.port), new.format(port=caller.port))
    assert sdp != caller.sdp("8")
    more = {"codec": {"transcode": ["PCMU", "G722", "opus"]}}
    wish = {key.replace("-", "_"): value for key, value in {**TO_PHONE, **more}.items()}
    told = await served.controller.ask(
        command="offer", call_id="call", from_tag="a", sdp=sdp, **wish
    )
    if told["result"] == b"ok":
        there = audio(told["sdp"].decode())
        answer = callee.sdp("8")
        await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE)
        await callee.talk(there, 3)
    else:
        assert len(told["error-reason"]) > 20
    await served.controller.ask(command="ping")
    assert "Exception in callback" not in caplog.text
