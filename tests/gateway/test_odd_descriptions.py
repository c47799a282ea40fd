"""Offers and answers that are odd but lawful, or lawful in no way: what each gets (RFC 3264)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.served import TO_PHONE, Phone, Served, audio
from tests.support.wait import eventually

WISH = {key.replace("-", "_"): value for key, value in TO_PHONE.items()}


async def ask(served: Served, command: str, sdp: str) -> dict[str, Any]:
    return await served.controller.ask(
        command=command, call_id="call", from_tag="a", to_tag="b", sdp=sdp, **WISH
    )


def second_audio(sdp: str, port: int) -> str:
    return sdp + f"m=audio {port} RTP/AVP 0\r\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda sdp: sdp[: sdp.index("m=")], b"no audio"),
        (lambda sdp: sdp.replace("m=audio ", "m=audio 0 RTP/AVP 8\r\na=x:"), b"no audio"),
        (lambda sdp: sdp.replace("a=ptime:20", "a=rtpmap:96"), b"rtpmap"),
        (lambda sdp: sdp + "a=x\r\n" * 13_000, b"too long"),
        (lambda sdp: sdp.replace("RTP/AVP 8", "RTP/AVP " + "8 " * 1000), b"media line|too long"),
        (lambda sdp: sdp + "m=audio 9 RTP/AVP 8\r\n" * 16, b"too many media"),
    ],
    ids=["no media", "port 0", "rtpmap", "65 kB", "1000 codecs", "17 media"],
)
async def test_an_offer_that_cannot_be_used_is_refused_in_words(
    served: Served, change: Callable[[str], str], words: bytes
) -> None:
    sdp = served.phone().sdp("8")
    told = await ask(served, "offer", change(sdp))
    assert told["result"] == b"error"
    assert any(each in told["error-reason"] for each in words.split(b"|"))
    numbers = (await served.controller.ask(command="statistics"))["statistics"]
    assert (numbers["calls_now"], numbers["port_pairs_now"]) == (0, 0)


async def talk_both_ways(served: Served, caller: Phone, callee: Phone, answer: str) -> None:
    to_callee = await served.controller.offer("call", "a", caller.sdp("0 8 101"), **TO_PHONE)
    to_caller = await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE)
    assert to_caller.count("m=") == to_callee.count("m=") == 1
    await caller.talk(audio(to_caller), 2)
    await callee.talk(audio(to_callee), 2)
    await eventually(lambda: len(caller.received) == 2 and len(callee.received) == 2)


async def test_rfc3264_6_more_media_than_were_offered_are_left_out(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    await talk_both_ways(served, caller, callee, second_audio(callee.sdp("8 101"), 4000))


async def test_rfc3264_6_1_codecs_in_another_order_are_heard(served: Served) -> None:
    caller, callee = served.phone(), served.phone()
    await talk_both_ways(served, caller, callee, callee.sdp("101 8 0"))


@pytest.mark.parametrize("port", [0, 4000])
async def test_of_two_audio_media_the_first_is_carried_and_the_other_refused(
    served: Served, port: int
) -> None:
    caller, callee = served.phone(), served.phone()
    offer = second_audio(caller.sdp("8"), port)
    to_callee = await served.controller.offer("call", "a", offer, **TO_PHONE)
    to_caller = await served.controller.answer("call", ("a", "b"), callee.sdp("8"), **TO_PHONE)
    for sdp in (to_callee, to_caller):
        assert sdp.count("m=audio ") == 2
        assert "m=audio 0 RTP/AVP 0" in sdp
    await caller.talk(audio(to_caller), 1)
    await eventually(lambda: len(callee.received) == 1)


@pytest.mark.parametrize("formats", ["13", "101", "13 101"])
async def test_only_noise_and_events_are_no_call(served: Served, formats: str) -> None:
    caller, callee = served.phone(), served.phone()
    await ask(served, "offer", caller.sdp(formats))
    told = await ask(served, "answer", callee.sdp(formats))
    assert told["result"] == b"error"
    assert b"share no codec" in told["error-reason"]


async def test_rfc3389_4_comfort_noise_passes_between_those_who_agreed_on_it(
    served: Served,
) -> None:
    caller, callee = served.phone(), served.phone()
    await served.controller.offer("call", "a", caller.sdp("8 13"), **TO_PHONE)
    to_caller = await served.controller.answer("call", ("a", "b"), callee.sdp("8 13"), **TO_PHONE)
    there = audio(to_caller)
    caller.send(there)
    caller.send(there, b"\x40", 13)
    caller.send(there, b"\x40" + b"\x7f" * 10, 13)
    await eventually(lambda: len(callee.received) == 3)
    assert callee.received[1][1] & 0x7F == 13
    assert callee.received[1][12:] == b"\x40"
