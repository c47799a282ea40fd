"""Browsers' legs: ICE, DTLS and SRTP with a WebRTC endpoint of another make on the other end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from dataclasses import replace

import numpy as np
import pytest

from sipengine.gateway import dtls, rtcp
from sipengine.gateway.g711 import a_value
from sipengine.gateway.sdp.sides import Remote
from sipengine.gateway.web_leg import WebLeg
from tests.gateway.browser import Browser
from tests.gateway.served import (
    HERE,
    TO_BROWSER,
    TO_PHONE,
    Phone,
    Served,
    audio,
    header,
    tone,
)
from tests.support.tone import Sound
from tests.support.wait import eventually

TO_BROWSER_ANSWER = {**TO_BROWSER, "DTLS": "passive"}


def browser(served: Served, frequency: float = 1000, *codecs: str) -> Browser:
    made = Browser(frequency, codecs)
    served.closers.append(made.close)
    return made


async def play(phone: Phone, where: Remote, frequency: float, number: int = 8) -> None:
    """A tone of A-law in real time, until cancelled."""
    loop = asyncio.get_running_loop()
    sound = tone(frequency, 8000)
    begun = loop.time()
    position = 0
    while True:
        at = position * 160 % 8000
        phone.send(where, sound[at : at + 160], number)
        position += 1
        await asyncio.sleep(max(0.0, begun + position * 0.02 - loop.time()))


async def hear_each_other(web: Browser, phone: Phone, where: Remote) -> None:
    """The phone plays 440 Hz, the browser 1000 Hz; A-law on the phone's side."""
    playing = asyncio.create_task(play(phone, where, 440))
    try:
        await eventually(lambda: len(phone.received) >= 75 and web.seconds >= 1.5, 15)
    finally:
        playing.cancel()
    values = [a_value(code) / 32768 for packet in phone.received for code in packet[12:]]
    assert Sound(np.array(values), 8000).last(0.5).holds(1000)
    assert web.sound().last(0.5).holds(440)


async def test_rfc5763_5_a_browser_calls_a_phone(served: Served) -> None:
    web, phone = browser(served, 1000, "PCMA"), served.phone()
    to_phone = await served.controller.offer("call", "a", await web.offer(), **TO_PHONE)
    for word in ("ice-", "fingerprint", "candidate", "setup", "SAVP", "mid", "extmap"):
        assert word not in to_phone
    to_web = await served.controller.answer(
        "call", ("a", "b"), phone.sdp("8 101"), **TO_BROWSER_ANSWER
    )
    assert "a=ice-lite" in to_web
    assert "a=setup:passive" in to_web
    await web.accept(to_web)
    await hear_each_other(web, phone, audio(to_phone))
    told = await served.controller.ask(command="query", call_id="call")
    assert told["quality"]["a"]["kind"] == b"web"
    assert told["quality"]["a"]["packets"] >= 75
    assert told["quality"]["a"]["transcoded"] == 0


async def test_a_forked_call_s_phones_are_heard_by_one_browser(served: Served) -> None:
    """RFC 3960 §3.1: one announces something, another answers; the browser shakes hands once."""
    web, early, callee = browser(served, 1000, "PCMA"), served.phone(), served.phone("127.0.0.4")
    offer = await web.offer()
    to_early = await served.controller.offer("1-call", "a", offer, **TO_PHONE)
    to_callee = await served.controller.offer("2-call", "a", offer, **TO_PHONE)
    assert audio(to_early).port != audio(to_callee).port
    first = await served.controller.answer(
        "1-call", ("a", "b"), early.sdp("8"), **TO_BROWSER_ANSWER
    )
    await web.accept(first)
    await hear_each_other(web, early, audio(to_early))

    second = await served.controller.answer(
        "2-call", ("a", "c"), callee.sdp("8"), **TO_BROWSER_ANSWER
    )
    for word in ("a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=ssrc", "m=audio"):
        one, other = (
            [line for line in sdp.split("\r\n") if line.startswith(word)] for sdp in (first, second)
        )
        assert one == other != []
    web.heard.clear()
    heard_early = len(early.received)
    playing = asyncio.create_task(play(early, audio(to_early), 700))
    try:
        await hear_each_other(web, callee, audio(to_callee))
    finally:
        playing.cancel()
    assert len(early.received) <= heard_early + 2  # nor does it hear any more

    await served.controller.ask(command="delete", call_id="1-call")
    web.heard.clear()
    callee.received.clear()
    await hear_each_other(web, callee, audio(to_callee))
    assert served.counters["dtls_handshakes"] == 1
    await served.controller.ask(command="delete", call_id="2-call")
    assert not served.gateway._surroundings.web_offers


async def test_another_dialog_gets_another_leg_for_the_same_words(served: Served) -> None:
    web = browser(served, 1000, "PCMA")
    offer = await web.offer()
    for name, tag in (
        ("1-call", "a"),
        ("2-other", "a"),
        ("3-call", "b"),
        ("whole", "a"),
        ("name", "a"),
    ):
        await served.controller.offer(name, tag, offer, **TO_PHONE)
    legs = {id(call.legs[0]) for call in served.gateway._calls.values()}
    assert len(legs) == 5


async def flood(ports: list[int]) -> int:
    """Two thousand packets a second of every kind from a stranger, until cancelled."""
    noise = random.Random(5)
    firsts = (b"\x00\x01", bytes([22, 254, 253]), bytes([128, 8]), bytes([128, 200]), b"\xff")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        while True:
            for count in range(40):
                data = firsts[count % len(firsts)] + noise.randbytes(170)
                with contextlib.suppress(BlockingIOError):
                    stranger.sendto(data, (HERE, ports[count % len(ports)]))
            await asyncio.sleep(0.02)


async def test_they_hear_each_other_through_a_flood(served: Served) -> None:
    """STUN, DTLS, RTP and RTCP of strangers, at the browsers' port and at the phone's."""
    web, phone = browser(served, 1000, "PCMA"), served.phone()
    to_phone = await served.controller.offer("call", "a", await web.offer(), **TO_PHONE)
    to_web = await served.controller.answer("call", ("a", "b"), phone.sdp("8"), **TO_BROWSER_ANSWER)
    where = audio(to_phone)
    flooding = asyncio.create_task(flood([served.shared.port, where.port, where.rtcp_port]))
    try:
        await web.accept(to_web)
        await hear_each_other(web, phone, where)
    finally:
        flooding.cancel()
    sides = (await served.controller.ask(command="query", call_id="call"))["quality"]
    for side in sides.values():
        assert side["lost"] * 20 < side["packets"]
    assert sides["b"]["strangers"] > 100
    assert served.counters["dtls_from_strangers"] > 20
    assert len({header(packet)[3] for packet in phone.received}) == 1


async def test_rfc5763_5_a_phone_calls_a_browser(served: Served) -> None:
    web, phone = browser(served), served.phone()
    to_web = await served.controller.offer("call", "a", phone.sdp("8 101"), **TO_BROWSER)
    assert "a=setup:actpass" in to_web
    to_phone = await served.controller.answer(
        "call", ("a", "b"), await web.answer(to_web), **TO_PHONE
    )
    await hear_each_other(web, phone, audio(to_phone))


async def test_a_browser_that_only_speaks_opus_is_transcoded(served: Served) -> None:
    web, phone = browser(served, 1000, "opus"), served.phone()
    to_phone = await served.controller.offer(
        "call", "a", await web.offer(), codec={"transcode": ["PCMA"]}, **TO_PHONE
    )
    to_web = await served.controller.answer("call", ("a", "b"), phone.sdp("8"), **TO_BROWSER_ANSWER)
    await web.accept(to_web)
    await hear_each_other(web, phone, audio(to_phone))
    told = await served.controller.ask(command="query", call_id="call")
    assert told["quality"]["a"]["transcoded"] == 1


async def test_rfc5763_5_the_gateway_shakes_hands_first_where_the_peer_is_passive(
    served: Served,
) -> None:
    web, phone = browser(served, 1000, "PCMA"), served.phone()
    to_web = await served.controller.offer("call", "a", phone.sdp("8"), **TO_BROWSER)
    answer = await web.answer(to_web.replace("setup:actpass", "setup:active"))
    assert "a=setup:passive" in answer
    to_phone = await served.controller.answer("call", ("a", "b"), answer, **TO_PHONE)
    await hear_each_other(web, phone, audio(to_phone))


async def test_two_browsers_that_share_no_codec_talk_through_it(served: Served) -> None:
    one, other = browser(served, 700, "PCMU"), browser(served, 1100, "opus")
    wish = {**TO_BROWSER, "codec": {"transcode": ["opus"]}}
    to_other = await served.controller.offer("call", "a", await one.offer(), **wish)
    to_one = await served.controller.answer(
        "call", ("a", "b"), await other.answer(to_other), **TO_BROWSER_ANSWER
    )
    await one.accept(to_one)
    await eventually(lambda: min(one.seconds, other.seconds) > 2, 15)
    assert one.sound().last(0.5).holds(1100)
    assert other.sound().last(0.5).holds(700)


async def test_rfc8122_5_a_certificate_that_was_not_announced_is_refused(served: Served) -> None:
    web, phone = browser(served, 1000, "PCMA"), served.phone()
    offer = await web.offer()
    stranger = dtls.fingerprint_of(dtls.make_certificate())
    lines = [
        f"a=fingerprint:{stranger}" if line.startswith("a=fingerprint:sha-256") else line
        for line in offer.split("\r\n")
        if not line.startswith("a=fingerprint:") or "sha-256 " in line
    ]
    await served.controller.offer("call", "a", "\r\n".join(lines), **TO_PHONE)
    to_web = await served.controller.answer("call", ("a", "b"), phone.sdp("8"), **TO_BROWSER_ANSWER)
    await web.accept(to_web)
    leg = served.gateway._calls["call"].legs[0]
    await eventually(lambda: bool(leg.trouble))
    assert leg.trouble == "the peer's certificate is not the one that its description announces"
    assert not phone.received


async def test_rfc8842_5_1_another_certificate_ends_the_keys_of_media_and_reports(
    served: Served,
) -> None:
    web, phone = browser(served, 1000, "PCMA"), served.phone()
    await served.controller.offer("call", "a", await web.offer(), **TO_PHONE)
    to_web = await served.controller.answer("call", ("a", "b"), phone.sdp("8"), **TO_BROWSER_ANSWER)
    await web.accept(to_web)
    leg = served.gateway._calls["call"].legs[0]
    assert isinstance(leg, WebLeg)
    await eventually(lambda: leg.has_keys() and len(phone.received) > 5, 10)
    sent: list[bytes] = []
    leg._send = lambda data, to: sent.append(data) or len(data)  # type: ignore[assignment]
    report = rtcp.bye(leg.outgoing, leg.incoming, "here", 0.0)
    leg.send_rtcp(report)
    assert len(sent) == 1, "with the keys there were"
    assert leg.remote is not None
    other = ("sha-256", ":".join(["AB"] * 32))
    leg.agree(replace(leg.remote, fingerprints=(other,)))
    sent.clear()
    leg.send_rtcp(report)
    assert sent == []
    before = leg.heard_at
    leg.on_media(bytes([0x80, 200]) + bytes(40), before + 1.0)
    assert (leg.heard_at, leg.undecipherable) == (before, 0)


async def test_rfc7675_5_1_nothing_is_sent_once_consent_is_gone(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, phone = browser(served, 1000, "PCMA"), served.phone()
    to_phone = await served.controller.offer("call", "a", await web.offer(), **TO_PHONE)
    to_web = await served.controller.answer("call", ("a", "b"), phone.sdp("8"), **TO_BROWSER_ANSWER)
    await web.accept(to_web)
    await eventually(lambda: len(phone.received) > 5)
    leg = served.gateway._calls["call"].legs[0]
    assert isinstance(leg, WebLeg)
    assert leg.has_keys()
    leg.tick(asyncio.get_running_loop().time() + 31)
    assert not leg.has_keys()
    await phone.talk(audio(to_phone), 3)
    await eventually(lambda: leg.unsent == 3)
    assert served.counters["consent_lost"] == 1
    assert leg.is_gone
    await eventually(leg.has_keys, 10)  # the browser's next check renews it
    assert not leg.is_gone


async def test_rfc4733_digits_of_a_phone_reach_the_browser_s_leg(served: Served) -> None:
    """With the number that the browser offered: another one it would drop."""
    web, phone = browser(served, 1000, "PCMA"), served.phone()
    offer = await web.offer()
    offer = offer.replace("UDP/TLS/RTP/SAVPF 8", "UDP/TLS/RTP/SAVPF 8 110")
    offer += "a=rtpmap:110 telephone-event/8000\r\na=fmtp:110 0-16\r\n"
    to_phone = await served.controller.offer("call", "a", offer, **TO_PHONE)
    assert "a=rtpmap:110 telephone-event/8000" in to_phone
    to_web = await served.controller.answer(
        "call", ("a", "b"), phone.sdp("8 101", event=110), **TO_BROWSER_ANSWER
    )
    assert "a=rtpmap:110 telephone-event/8000" in to_web
    await web.accept(to_web)
    leg = served.gateway._calls["call"].legs[0]
    await eventually(leg.has_keys, 10)
    sent: list[bytes] = []
    leg.send_rtp = sent.append  # type: ignore[assignment]  # what goes out, before it is protected
    phone.send(audio(to_phone), bytes([3, 10, 0, 160]), 110)
    await eventually(lambda: bool(sent))
    assert header(sent[0])[0] == 110
    assert sent[0][12:] == bytes([3, 10, 0, 160])
