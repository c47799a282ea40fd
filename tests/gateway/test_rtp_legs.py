"""Phones' legs: RTP and SRTP between two of them, latching, transcoding, telephone events."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import struct

import numpy as np
import pylibsrtp
import pytest

from sipengine.gateway import rtp_ports, srtp
from sipengine.gateway.g711 import a_value
from sipengine.gateway.rtp_leg import RtpLeg
from sipengine.gateway.rtp_ports import NoPort, RtpPorts, bind_udp
from sipengine.gateway.sdp.sides import Crypto, Remote
from tests.gateway.served import (
    TO_PHONE,
    TO_SRTP_PHONE,
    Phone,
    Served,
    audio,
    header,
    tone,
)
from tests.support.free_ports import free_block
from tests.support.tone import Sound
from tests.support.wait import eventually


async def connect(
    served: Served,
    caller: Phone,
    callee: Phone,
    formats: tuple[str, str] = ("0 8 101", "0 8 101"),
    **more: object,
) -> tuple[Remote, Remote]:
    """A call between two plain phones; what each was told of the gateway."""
    wish = {**TO_PHONE, **more}
    to_callee = await served.controller.offer("call", "a", caller.sdp(formats[0]), **wish)
    to_caller = await served.controller.answer(
        "call", ("a", "b"), callee.sdp(formats[1]), **TO_PHONE
    )
    return audio(to_caller), audio(to_callee)


async def test_packets_pass_both_ways_undecoded(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    for_caller, for_callee = await connect(
        served, caller, callee, codec={"transcode": ["PCMU", "PCMA", "G722", "opus"]}
    )
    told = await served.controller.ask(command="query", call_id="call")
    assert [told["quality"][tag]["transcoded"] for tag in "ab"] == [0, 0]
    await caller.talk(for_caller, 5)
    await callee.talk(for_callee, 5)
    await eventually(lambda: len(caller.received) == 5 and len(callee.received) == 5)
    told = await served.controller.ask(command="query", call_id="call")
    assert [told["quality"][tag]["sends"] for tag in "ab"] == [1, 1]
    assert all(told["quality"][tag]["quiet_s"] < 10 for tag in "ab")
    for packets in (caller.received, callee.received):
        assert {packet[12:] for packet in packets} == {b"\xd5" * 160}
        numbers = [header(packet) for packet in packets]
        assert {number for number, _, _, _ in numbers} == {8}
        assert [s - numbers[0][1] for _, s, _, _ in numbers] == [0, 1, 2, 3, 4]
        assert [t - numbers[0][2] for _, _, t, _ in numbers] == [0, 160, 320, 480, 640]
        assert len({source for _, _, _, source in numbers}) == 1


async def test_a_source_that_changes_continues_the_stream(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    for_caller, _ = await connect(served, caller, callee)
    await caller.talk(for_caller, 3)
    caller.ssrc, caller.sequence, caller.stamp = 0x99, 60000, 12
    await caller.talk(for_caller, 3)
    await eventually(lambda: len(callee.received) == 6)
    numbers = [header(packet) for packet in callee.received]
    assert [s - numbers[0][1] for _, s, _, _ in numbers] == [0, 1, 2, 3, 4, 5]
    assert len({source for _, _, _, source in numbers}) == 1
    stamps = [t for _, _, t, _ in numbers]
    assert stamps == sorted(stamps)


async def test_a_phone_behind_nat_is_answered_where_it_sends_from(served: Served) -> None:
    caller, callee, seen = served.phone(), served.phone(), served.phone()
    offer = caller.sdp().replace(f"m=audio {caller.port}", f"m=audio {caller.port ^ 1}")
    to_callee = await served.controller.offer("call", "a", offer, **TO_PHONE)
    to_caller = await served.controller.answer("call", ("a", "b"), callee.sdp(), **TO_PHONE)
    await seen.talk(audio(to_caller), 2)  # the NAT's port is none that the description names
    await eventually(lambda: len(callee.received) == 2)
    await callee.talk(audio(to_callee), 2)
    await eventually(lambda: len(seen.received) == 2)
    assert not caller.received


async def test_strangers_are_not_latched_after_the_first_valid_source(served: Served) -> None:
    caller, callee, stranger = served.phone(), served.phone(), served.phone()
    stranger.ssrc = 0x55
    for_caller, for_callee = await connect(served, caller, callee)
    await caller.talk(for_caller, 3)
    await eventually(lambda: len(callee.received) == 3)
    await stranger.talk(for_caller, 20)
    await callee.talk(for_callee, 3)
    await eventually(lambda: len(caller.received) == 3)
    assert len(callee.received) == 3
    assert not stranger.received
    told = await served.controller.ask(command="query", call_id="call")
    assert told["quality"]["a"]["strangers"] == 20


async def test_a_quick_stranger_of_the_phone_s_host_gives_way_to_the_phone(served: Served) -> None:
    """Before the phone speaks, its host's packets may be its own, through a NAT; then it is known."""
    caller, callee, stranger = served.phone(), served.phone(), served.phone()
    stranger.ssrc = 0x55
    for_caller, for_callee = await connect(served, caller, callee)
    await stranger.talk(for_caller, 2)
    await eventually(lambda: len(callee.received) == 2)
    await caller.talk(for_caller, 3)
    await stranger.talk(for_caller, 3)
    await eventually(lambda: len(callee.received) == 5)
    await callee.talk(for_callee, 3)
    await eventually(lambda: len(caller.received) == 3)
    told = await served.controller.ask(command="query", call_id="call")
    assert told["quality"]["a"]["strangers"] == 3


async def test_strangers_of_another_host_are_not_latched_at_all(served: Served) -> None:
    caller, callee, stranger = served.phone(), served.phone(), served.phone("127.0.0.2")
    for_caller, _ = await connect(served, caller, callee)
    await stranger.talk(for_caller, 3)
    await caller.talk(for_caller, 3)
    await eventually(lambda: len(callee.received) == 3)
    source = header(callee.received[0])[3]
    assert {header(packet)[3] for packet in callee.received} == {source}


async def test_another_agreement_lets_a_phone_move(served: Served) -> None:
    caller, callee, moved = served.phone(), served.phone(), served.phone("127.0.0.3")
    for_caller, for_callee = await connect(served, caller, callee)
    await caller.talk(for_caller, 2)
    await eventually(lambda: len(callee.received) == 2)
    again = await served.controller.offer("call", "a", moved.sdp(), **TO_PHONE)
    assert audio(again).port == for_callee.port
    await served.controller.answer("call", ("a", "b"), callee.sdp(), **TO_PHONE)
    await callee.talk(for_callee, 2)
    await eventually(lambda: len(moved.received) == 2)
    await moved.talk(for_caller, 2)
    await eventually(lambda: len(callee.received) == 4)


async def test_rfc4568_6_1_srtp_meets_rtp(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    key = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
    offer = caller.sdp("8 101", key.line() + "\r\n", "RTP/SAVP")
    to_callee = await served.controller.offer("call", "a", offer, **TO_PHONE)
    assert "crypto" not in to_callee
    assert "RTP/AVP" in to_callee
    to_caller = await served.controller.answer(
        "call", ("a", "b"), callee.sdp("8 101"), **TO_SRTP_PHONE
    )
    answered = audio(to_caller)
    assert answered.protocol == "RTP/SAVP"
    assert len(answered.cryptos) == 1
    protect, unprotect = srtp.sending(key).protect, srtp.receiving(answered.cryptos[0]).unprotect
    for _ in range(3):
        caller.rtp.sendto(protect(caller.packet()), (answered.host, answered.port))
    await eventually(lambda: len(callee.received) == 3)
    assert callee.received[0][12:] == b"\xd5" * 160
    await callee.talk(audio(to_callee), 3)
    await eventually(lambda: len(caller.received) == 3)
    assert unprotect(caller.received[0])[12:] == b"\xd5" * 160
    with pytest.raises(pylibsrtp.Error):  # another key does not open it
        srtp.receiving(key).unprotect(caller.received[1])


async def test_rfc4568_5_1_3_srtp_is_offered_and_its_answer_taken(served: Served) -> None:
    caller, callee, stranger = served.phone(), served.phone(), served.phone()
    to_callee = await served.controller.offer("call", "a", caller.sdp("8"), **TO_SRTP_PHONE)
    offered = audio(to_callee)
    assert [each.suite for each in offered.cryptos][:2] == [
        "AES_CM_128_HMAC_SHA1_80",
        "AES_CM_128_HMAC_SHA1_32",
    ]
    key = Crypto(2, "AES_CM_128_HMAC_SHA1_32", bytes(30))
    answer = callee.sdp("8", key.line() + "\r\n", "RTP/SAVP")
    to_caller = await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE)
    protect = srtp.sending(key).protect
    await stranger.talk(offered, 2)  # in clear: nothing that proves the key
    for _ in range(2):
        callee.rtp.sendto(protect(callee.packet()), (offered.host, offered.port))
    await eventually(lambda: len(caller.received) == 2)
    await caller.talk(audio(to_caller), 2)
    await eventually(lambda: len(callee.received) == 2)
    assert srtp.receiving(offered.cryptos[1]).unprotect(callee.received[0])[12:] == b"\xd5" * 160


@pytest.mark.parametrize(
    ("callee_formats", "number"),
    [("96", 96), ("9 101", 9), ("0 101", 0)],
    ids=["opus", "g722", "pcmu"],
)
async def test_codecs_that_are_not_shared_are_transcoded(
    served: Served, callee_formats: str, number: int
) -> None:
    caller, callee = served.phone(), served.phone()
    to_callee = await served.controller.offer(
        "call", "a", caller.sdp("8 101"), codec={"transcode": ["PCMU", "PCMA", "G722", "opus"]}, **TO_PHONE
    )  # fmt: skip
    offered = {item.codec.name: item.number for item in audio(to_callee).formats}
    assert {"PCMA", "PCMU", "G722", "OPUS", "TELEPHONE-EVENT"} <= set(offered)
    answer = callee.sdp(callee_formats, opus=offered["OPUS"])
    to_caller = await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE)
    assert [item.number for item in audio(to_caller).formats if item.codec.is_voice] == [8]
    told = await served.controller.ask(command="query", call_id="call")
    assert [told["quality"][tag]["transcoded"] for tag in "ab"] == [1, 1]
    sound = tone(440, 160 * 60)
    for position in range(60):
        caller.send(audio(to_caller), sound[160 * position : 160 * position + 160])
        await asyncio.sleep(0.001)
    await eventually(lambda: len(callee.received) >= 58)
    # Back through the gateway: what the callee heard, it says.
    for packet in callee.received:
        payload_number, sequence, stamp, _ = header(packet)
        head = struct.pack("!BBHII", 0x80, payload_number, sequence, stamp, 7)
        callee.rtp.sendto(head + packet[12:], (audio(to_callee).host, audio(to_callee).port))
        await asyncio.sleep(0.001)
    await eventually(lambda: len(caller.received) >= 55)
    values = [a_value(code) / 32768 for packet in caller.received for code in packet[12:]]
    assert Sound(np.array(values), 8000).last(0.8).holds(440)


async def test_rfc4733_2_5_1_events_pass_with_the_number_each_side_gave(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    offer = caller.sdp("8 101", event=120)
    to_callee = await served.controller.offer("call", "a", offer, **TO_PHONE)
    assert "a=rtpmap:120 telephone-event/8000" in to_callee
    answer = callee.sdp("8 101")
    to_caller = await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE)
    event = bytes([5, 0x0A, 0, 160])
    caller.send(audio(to_caller), event, 120)
    callee.send(audio(to_callee), event, 120)
    await eventually(lambda: bool(caller.received and callee.received))
    assert header(callee.received[0])[0] == 101
    assert callee.received[0][12:] == event
    assert header(caller.received[0])[0] == 120
    assert caller.received[0][12:] == event


async def test_rfc4733_2_1_events_are_set_to_the_clock_of_an_opus_phone(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    to_callee = await served.controller.offer(
        "call", "a", caller.sdp("8 101"), codec={"transcode": ["opus"]}, **TO_PHONE
    )
    numbers = {
        (item.codec.name, item.codec.clock): item.number for item in audio(to_callee).formats
    }
    opus, event = numbers["OPUS", 48000], numbers["TELEPHONE-EVENT", 48000]
    answer = callee.sdp("96 97", opus=opus, wide_event=event)
    to_caller = await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE)
    caller.send(audio(to_caller), bytes([7, 10, 0, 160]), 101)
    await eventually(lambda: bool(callee.received))
    assert header(callee.received[0])[0] == event
    assert callee.received[0][12:] == bytes([7, 10]) + (960).to_bytes(2, "big")


async def test_rtcp_is_ended_and_measured_here(served: Served) -> None:
    """RFC 3550 §6.4: our own report tells a phone of its own stream, with our own source."""
    caller, callee = served.phone(), served.phone()
    for_caller, for_callee = await connect(served, caller, callee)
    await caller.talk(for_caller, 10)
    caller.sequence += 10  # ten packets that never come
    await caller.talk(for_caller, 10)
    await eventually(lambda: bool(caller.reports) and bool(callee.reports), 8)
    report = caller.reports[0]
    assert report[1] == 201  # nothing was sent to the caller yet
    assert int.from_bytes(report[8:12], "big") == caller.ssrc
    assert int.from_bytes(report[13:16], "big") == 10
    sender = callee.reports[0]
    assert sender[1] == 200
    assert int.from_bytes(sender[4:8], "big") == header(callee.received[0])[3]
    # The callee answers 50 ms later: the round trip is what is left.
    middle = int.from_bytes(sender[10:14], "big")
    block = struct.pack("!IIIIII", header(callee.received[0])[3], 64 << 24 | 9, 0, 80, middle, 0)
    back = struct.pack("!BBHI", 0x81, 201, 7, 0x55) + block
    callee.send(for_callee)
    await eventually(lambda: bool(caller.received))
    callee.rtcp.sendto(back, (for_callee.host, for_callee.rtcp_port))
    leg = served.gateway._calls["call"].legs[1]
    await eventually(lambda: leg.feedback.lost == 9)
    assert 0 < leg.feedback.round_trip < 2
    told = await served.controller.ask(command="delete", call_id="call")
    caller_figures = told["quality"]["a"]
    assert (caller_figures["packets"], caller_figures["lost"]) == (20, 10)
    assert 100 <= caller_figures["mos_100"] <= 250  # a third was lost


async def test_hold_of_both_kinds_and_its_end(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    for_caller, for_callee = await connect(served, caller, callee)
    await caller.talk(for_caller, 1)
    old = caller.sdp().replace(f"c=IN IP4 {caller.host}", "c=IN IP4 0.0.0.0")
    held = await served.controller.offer("call", "a", old, **TO_PHONE)
    assert audio(held).direction == "inactive"
    answer = callee.sdp().replace("sendrecv", "inactive")
    back = await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE)
    assert audio(back).direction == "inactive"
    await callee.talk(for_callee, 3)
    offer = caller.sdp().replace("sendrecv", "sendonly")
    held = await served.controller.offer("call", "a", offer, **TO_PHONE)
    assert audio(held).direction == "sendonly"
    answer = callee.sdp().replace("sendrecv", "recvonly")
    back = await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE)
    assert audio(back).direction == "recvonly"
    told = await served.controller.ask(command="query", call_id="call")
    assert [told["quality"][tag]["sends"] for tag in "ab"] == [1, 0]
    # A plain offer, answered by a hold: who is held is not expected to send (RFC 3264 §6.1).
    await served.controller.offer("call", "a", caller.sdp(), **TO_PHONE)
    answer = callee.sdp().replace("sendrecv", "sendonly")
    await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE)
    told = await served.controller.ask(command="query", call_id="call")
    assert [told["quality"][tag]["sends"] for tag in "ab"] == [0, 1]
    await connect(served, caller, callee)
    before = len(caller.received)
    await callee.talk(for_callee, 3)
    await eventually(lambda: len(caller.received) == before + 3)
    assert before == 0  # nothing reached it while it was on hold


async def test_a_second_answer_of_a_fork_takes_over(served: Served) -> None:
    caller, early, callee = served.phone(), served.phone(), served.phone("127.0.0.4")
    for_caller, for_callee = await connect(served, caller, early)
    await early.talk(for_callee, 2)
    await eventually(lambda: len(caller.received) == 2)
    await served.controller.answer("call", ("a", "c"), callee.sdp(), **TO_PHONE)
    await callee.talk(for_callee, 2)
    await eventually(lambda: len(caller.received) == 4)
    await caller.talk(for_caller, 2)
    await eventually(lambda: len(callee.received) == 2)
    sources = {header(packet)[3] for packet in caller.received}
    assert len(sources) == 1


async def test_ports_come_back(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    for _ in range(60):  # three times what the range holds
        await connect(served, caller, callee)
        await served.controller.ask(command="delete", call_id="call")
    told = await served.controller.ask(command="statistics")
    assert told["statistics"]["port_pairs_now"] == 0


async def test_no_port_left_is_told(served: Served) -> None:
    caller = served.phone()
    told = {}
    for count in range(30):
        told = await served.controller.ask(
            command="offer", call_id=f"call{count}", from_tag="a", sdp=caller.sdp(), **{k.replace("-", "_"): v for k, v in TO_PHONE.items()}
        )  # fmt: skip
    assert told["result"] == b"error"
    assert b"no free pair of ports" in told["error-reason"]
    ports = served.gateway._surroundings.ports
    assert ports.taken == ports.pairs // 2 * 2  # the one that is left over is not lost


def test_ports_of_many_long_calls_in_a_row_are_stepped_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only what others use counts as tried in vain."""
    monkeypatch.setattr(rtp_ports, "_TRIES", 3)
    first = free_block(42)
    ports = RtpPorts(first, first + 41)
    ports._next = 0
    pairs = [ports.take("127.0.0.1") for _ in range(12)]
    ports.give_back(pairs.pop(5))
    ports._next = 0
    assert ports.taken == 11
    pairs.append(ports.take("127.0.0.1"))
    begin = first + first % 2
    assert pairs[-1][0].getsockname()[1] == begin + 10
    assert ports.taken == 12
    others = [bind_udp("127.0.0.1", begin + 2 * at) for at in (12, 13, 14)]
    ports._next = 0
    with pytest.raises(NoPort):
        ports.take("127.0.0.1")
    for pair in pairs:
        ports.give_back(pair)
    assert ports.taken == 0
    for each in others:
        assert each is not None
        each.close()


async def test_without_descriptors_a_call_is_refused_and_everybody_else_stays(
    served: Served,
) -> None:
    caller = served.phone()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir("/proc/self/fd")}
    most = [number for number in range(soft) if number not in used][3]  # three are left
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        told: dict[str, object] = {}
        for count in range(30):
            told = await served.controller.ask(
                command="offer", call_id=f"call{count}", from_tag="a", sdp=caller.sdp()
            )
            if told["result"] != b"ok":
                break
        assert b"can be opened: Too many open files" in told["error-reason"]  # type: ignore[operator]
        assert (await served.controller.ask(command="ping"))["result"] == b"pong"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert await served.controller.offer("after", "a", caller.sdp(), **TO_PHONE)
    ports = served.gateway._surroundings.ports
    assert ports.taken == 2 * served.gateway.call_count


async def test_a_call_that_its_controller_asks_for_is_not_forgotten(served: Served) -> None:
    """Two who hold each other for half an hour send nothing."""
    await connect(served, served.phone(), served.phone())
    call = served.gateway._calls["call"]
    now = asyncio.get_running_loop().time()
    call.answered_at = now - 1800
    assert call.is_stale(now)
    await served.controller.ask(command="query", call_id="call")
    assert not call.is_stale(now + 30)
    assert call.is_stale(now + 1000)


async def test_rfc8837_5_voice_and_reports_ask_for_expedited_forwarding(served: Served) -> None:
    await connect(served, served.phone(), served.phone())
    leg = served.gateway._calls["call"].legs[0]
    assert isinstance(leg, RtpLeg)
    browsers = served.shared.sender(0)
    for each in (*leg._pair, browsers):
        assert each.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) >> 2 == 46
    six = bind_udp("::1", 0)
    assert six is not None
    assert six.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) >> 2 == 46
    six.close()


async def test_a_packet_that_is_too_long_for_srtp_costs_itself(served: Served) -> None:
    """Both ways: from a phone with a key, and of a phone without to one that has a key."""
    caller, callee = served.phone(), served.phone()
    key = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
    offer = caller.sdp("8 101", key.line() + "\r\n", "RTP/SAVP")
    to_callee = audio(await served.controller.offer("call", "a", offer, **TO_PHONE))
    to_caller = audio(
        await served.controller.answer("call", ("a", "b"), callee.sdp("8 101"), **TO_SRTP_PHONE)
    )
    protect = srtp.sending(key).protect
    for size in (1480, 1600, 160):
        packet = caller.packet(b"\xd5" * size)
        where = (to_caller.host, to_caller.port)
        caller.rtp.sendto(protect(packet) if size == 160 else packet, where)
        callee.send(to_callee, b"\xd5" * size)
    await eventually(lambda: len(callee.received) == 1 and len(caller.received) == 1)
    told = await served.controller.ask(command="query", call_id="call")
    assert told["quality"]["a"]["unsent"] == 2


async def test_packets_of_no_agreed_number_end_here_and_are_told(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    for_caller, _ = await connect(served, caller, callee)
    await caller.talk(for_caller, 1)
    await caller.talk(for_caller, 4, number=97)
    await caller.talk(for_caller, 1)
    await eventually(lambda: len(callee.received) == 2)
    told = await served.controller.ask(command="query", call_id="call")
    assert (told["quality"]["a"]["unwanted"], told["quality"]["b"]["unwanted"]) == (4, 0)
