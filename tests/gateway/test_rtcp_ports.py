"""RTCP where RTP is expected, RTP where RTCP is, and what is neither (RFC 5761 §3, §4)."""

from __future__ import annotations

import asyncio
import random
import struct
from typing import Any

import pytest

from sipengine.gateway import srtp
from sipengine.gateway.rtp_leg import RtpLeg
from sipengine.gateway.sdp.sides import Crypto, Remote
from tests.gateway.served import TO_PHONE, TO_SRTP_PHONE, Phone, Served, audio, header
from tests.support.wait import eventually


async def begin(served: Served, formats: str = "8", **sdp: Any) -> tuple[Phone, Phone, Remote, Remote]:  # fmt: skip
    """A call between two who have both been heard; neither has agreed on a=rtcp-mux."""
    caller, callee = served.phone(), served.phone()
    to_callee = await served.controller.offer("call", "a", caller.sdp(formats, **sdp), **TO_PHONE)
    to_caller = await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_PHONE)
    for phone, other, where in (
        (caller, callee, audio(to_caller)),
        (callee, caller, audio(to_callee)),
    ):
        phone.send(where)
        await eventually(lambda: len(other.received) == 1)  # noqa: B023
    return caller, callee, audio(to_caller), audio(to_callee)


def leg_of(served: Served, at: int) -> RtpLeg:
    leg = served.gateway._calls["call"].legs[at]
    assert isinstance(leg, RtpLeg)
    return leg


def report(phone: Phone, ssrc: int, lost: int) -> bytes:
    """A receiver report and a CNAME, as every stack sends them (RFC 3550 §6.1)."""
    block = struct.pack("!IIIIII", ssrc, 64 << 24 | lost, 0, 80, 0, 0)
    name = struct.pack("!BBHI", 0x81, 202, 2, phone.ssrc) + b"\x01\x01x\0"
    return struct.pack("!BBHI", 0x81, 201, 7, phone.ssrc) + block + name


async def test_rfc5761_4_rtcp_on_the_rtp_port_is_read_and_no_audio(served: Served) -> None:
    """Some phones send it there without a word."""
    caller, callee, for_caller, _ = await begin(served)
    ours = header(caller.received[0])[3]
    caller.rtp.sendto(report(caller, ours, 5), (for_caller.host, for_caller.port))
    await eventually(lambda: leg_of(served, 0).feedback.lost == 5)
    caller.send(for_caller)
    await eventually(lambda: len(callee.received) == 2)
    assert {header(packet)[0] for packet in callee.received} == {8}
    assert leg_of(served, 0).incoming.packets == 2


async def test_rfc3550_11_rtp_on_the_rtcp_port_is_no_audio_and_moves_no_reports(
    served: Served,
) -> None:
    caller, callee, for_caller, _ = await begin(served)
    leg = leg_of(served, 0)
    for _ in range(3):
        caller.rtp.sendto(caller.packet(), (for_caller.host, for_caller.rtcp_port))
    await eventually(lambda: leg.strangers == 3)
    assert leg._rtcp_target == (caller.host, caller.rtcp_port)
    ours = header(caller.received[0])[3]
    caller.rtcp.sendto(report(caller, ours, 6), (for_caller.host, for_caller.rtcp_port))
    await eventually(lambda: leg.feedback.lost == 6)
    assert len(callee.received) == 1
    assert leg.incoming.packets == 1


async def test_rfc3711_3_4_only_a_report_with_the_key_moves_reports(served: Served) -> None:
    caller, callee, thief = served.phone(), served.phone(), served.phone()
    key = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
    offer = caller.sdp("8", key.line() + "\r\n", "RTP/SAVP")
    await served.controller.offer("call", "a", offer, **TO_PHONE)
    to_caller = await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_SRTP_PHONE)
    where, sending = audio(to_caller), srtp.sending(key)
    caller.rtp.sendto(sending.protect(caller.packet()), (where.host, where.port))
    await eventually(lambda: len(callee.received) == 1)
    leg = leg_of(served, 0)
    ours = leg.outgoing.ssrc
    thief.rtcp.sendto(report(thief, ours, 9), (where.host, where.rtcp_port))
    await eventually(lambda: leg.undecipherable == 1)
    sealed = sending.protect_rtcp(report(caller, ours, 7))
    caller.rtcp.sendto(sealed, (where.host, where.rtcp_port))
    await eventually(lambda: leg.feedback.lost == 7)
    assert leg._rtcp_target == (caller.host, caller.rtcp_port)
    caller.rtp.sendto(sending.protect_rtcp(report(caller, ours, 8)), (where.host, where.port))
    await eventually(lambda: leg.feedback.lost == 8)


@pytest.mark.parametrize("secure", [False, True], ids=["rtp", "srtp"])
async def test_whatever_comes_to_either_port_breaks_nothing(
    served: Served, secure: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caller, callee = served.phone(), served.phone()
    key = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
    line, protocol = (key.line() + "\r\n", "RTP/SAVP") if secure else ("", "RTP/AVP")
    await served.controller.offer("call", "a", caller.sdp("8", line, protocol), **TO_PHONE)
    wish = TO_SRTP_PHONE if secure else TO_PHONE
    to_caller = await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **wish)
    where, seal = audio(to_caller), srtp.sending(key).protect if secure else bytes
    caller.rtp.sendto(seal(caller.packet()), (where.host, where.port))
    await eventually(lambda: len(callee.received) == 1)
    noise = random.Random(7)
    for second in (192, 200, 201, 202, 203, 205, 223, 8, 0x88):
        for first in (0x00, 0x10, 0x20, 0x80, 0x81, 0x9F, 0xA0, 0xB1, 0xFF):
            for size in (0, 2, 6, 10, 26, 1470):
                data = bytes([first, second]) + noise.randbytes(size)
                for each, port in (
                    (caller.rtp, where.rtcp_port),
                    (caller.rtcp, where.rtcp_port),
                    (caller.rtcp, where.port),
                    (caller.rtp, where.port if second > 191 or secure else where.rtcp_port),
                ):
                    each.sendto(data, (where.host, port))
            await asyncio.sleep(0.002)  # the gateway reads
        packet = seal(caller.packet())
        before = len(callee.received)
        caller.rtp.sendto(packet, (where.host, where.port))
        await eventually(lambda: len(callee.received) == before + 1)  # noqa: B023
    assert {packet[12:] for packet in callee.received} == {b"\xd5" * 160}
    assert leg_of(served, 0).incoming.packets == len(callee.received)
    assert "Exception in callback" not in caplog.text


@pytest.mark.parametrize("number", [72, 76, 79])
async def test_rfc5761_4_a_number_that_reads_as_rtcp_is_no_format(
    served: Served, number: int
) -> None:
    caller = served.phone()
    to_callee = await served.controller.offer(
        "call", "a", caller.sdp(f"{number} 8", f"a=rtpmap:{number} L8/8000\r\n"), **TO_PHONE
    )
    assert [item.number for item in audio(to_callee).formats] == [8]


async def test_rfc3551_3_a_number_of_the_others_is_heard_with_its_marker(served: Served) -> None:
    """64 to 95 may be used where nothing is multiplexed; the marker makes 192 to 223 of them."""
    caller, callee = served.phone(), served.phone()
    maps: dict[str, Any] = {"extra": "a=rtpmap:90 speex/8000\r\n"}
    to_callee = await served.controller.offer("call", "a", caller.sdp("90", **maps), **TO_PHONE)
    to_caller = await served.controller.answer(
        "call", ("a", "b"), callee.sdp("90", **maps), **TO_PHONE
    )
    assert audio(to_callee).formats
    caller.send(audio(to_caller), b"x" * 20, 90)
    caller.send(audio(to_caller), b"x" * 20, 90 | 0x80)
    await eventually(lambda: len(callee.received) == 2)
