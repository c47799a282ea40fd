"""rtpengine in the place of our gateway: the same requests, the same phones (apt: rtpengine-daemon)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sipengine.gateway import srtp
from sipengine.gateway.sdp.sides import Crypto
from sipengine.media import commands
from sipengine.media.bencode import decode, encode
from sipengine.services.ports import (
    ANSWER,
    DELETE,
    OFFER,
    TO_RTP,
    TO_SRTP,
    TO_WEB,
    MediaAnswer,
    MediaRequest,
)
from tests.gateway.served import HERE, Controller, Phone, audio
from tests.support.rtpengine import Rtpengine as Process
from tests.support.wait import eventually


class Rtpengine:
    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._count = 0

    async def ask(self, request: MediaRequest) -> MediaAnswer:
        self._count += 1
        cookie = f"r{self._count} ".encode()
        answer = await self.controller.exchange(cookie + encode(commands.command(request)))
        told = commands.answer(decode(answer.partition(b" ")[2]), 0, "a")
        assert told.ok, told
        return told


@pytest.fixture
async def rtpengine() -> AsyncIterator[Rtpengine]:
    with Process() as process:
        controller = Controller((HERE, process.control))
        try:
            yield Rtpengine(controller)
        finally:
            controller.close()


async def test_srtp_meets_rtp_through_rtpengine(rtpengine: Rtpengine) -> None:
    caller, callee = Phone(), Phone()
    key = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
    offer = caller.sdp("8 101", key.line() + "\r\n", "RTP/SAVP")
    to_callee = await rtpengine.ask(MediaRequest(OFFER, 0, "c", "a", "", offer, TO_RTP, HERE))
    assert "crypto" not in to_callee.sdp
    request = MediaRequest(ANSWER, 0, "c", "a", "b", callee.sdp("8 101"), TO_SRTP, HERE)
    answered = audio((await rtpengine.ask(request)).sdp)
    assert answered.is_srtp
    protect, unprotect = srtp.sending(key).protect, srtp.receiving(answered.cryptos[0]).unprotect
    where = audio(to_callee.sdp)
    try:
        for _ in range(40):
            caller.rtp.sendto(protect(caller.packet()), (answered.host, answered.port))
            callee.send(where)
            await asyncio.sleep(0.01)
        await eventually(lambda: len(callee.received) >= 30 and len(caller.received) >= 30)
        assert callee.received[-1][12:] == b"\xd5" * 160
        assert unprotect(caller.received[-1])[12:] == b"\xd5" * 160
        ended = await rtpengine.ask(MediaRequest(DELETE, 0, "c", "a"))
        assert '"caller":{"packets":' in ended.figures
    finally:
        caller.close()
        callee.close()


async def test_a_browser_s_descriptions_through_rtpengine(rtpengine: Rtpengine) -> None:
    phone = Phone()
    request = MediaRequest(OFFER, 0, "w", "a", "", phone.sdp("8 101"), TO_WEB, HERE)
    try:
        offered = audio((await rtpengine.ask(request)).sdp)
    finally:
        phone.close()
    assert offered.is_web
    assert offered.mux
    assert offered.ufrag
    assert offered.fingerprints
