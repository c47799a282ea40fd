"""A browser that cannot be joined: another certificate, no handshake, nothing at all (RFC 5763 §5)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from sipengine.gateway import dtls, web_leg
from sipengine.gateway.web_leg import WebLeg
from sipengine.media.ng import NgClient
from sipengine.services.ports import QUERY, MediaAnswer, MediaRequest
from tests.gateway.browser import Browser
from tests.gateway.served import HERE, TO_BROWSER, TO_PHONE, Served
from tests.support.wait import eventually

TO_BROWSER_ANSWER = {**TO_BROWSER, "DTLS": "passive"}


class Looking:
    """The engine's eye: what it makes of the gateway's figures."""

    def __init__(self) -> None:
        self.answers: list[MediaAnswer] = []

    def on_media(self, answer: MediaAnswer, now: float) -> None:
        self.answers.append(answer)


async def look(served: Served) -> MediaAnswer:
    client = NgClient(asyncio.get_running_loop(), [(HERE, served.server.port)], lambda now: None)
    await client.open()
    looking = Looking()
    client.ask(MediaRequest(QUERY, 0, "call", "a"), looking)
    await eventually(lambda: bool(looking.answers))
    client.close()
    return looking.answers[0]


def with_other_certificate(sdp: str) -> str:
    stranger = dtls.fingerprint_of(dtls.make_certificate())
    return "\r\n".join(
        f"a=fingerprint:{stranger}" if line.startswith("a=fingerprint:sha-256") else line
        for line in sdp.split("\r\n")
        if not line.startswith("a=fingerprint:") or "sha-256 " in line
    )


async def call(served: Served, web: Browser, *, change: bool = False) -> tuple[str, WebLeg]:
    """A browser's call that a phone has answered: the answer, which the browser does not have yet."""
    offer = await web.offer()
    if change:
        offer = with_other_certificate(offer)
    phone = served.phone()
    served.closers.append(web.close)
    await served.controller.offer("call", "a", offer, **TO_PHONE)
    to_web = await served.controller.answer("call", ("a", "b"), phone.sdp("8"), **TO_BROWSER_ANSWER)
    leg = served.gateway._calls["call"].legs[0]
    assert isinstance(leg, WebLeg)
    return to_web, leg


async def test_rfc5763_5_another_certificate_is_told_to_the_engine(served: Served) -> None:
    web = Browser(1000, ("PCMA",))
    to_web, leg = await call(served, web, change=True)
    before = await look(served)
    assert (before.waits, before.fault) == (True, "")
    await web.accept(to_web)
    await eventually(lambda: bool(leg.trouble), 10)
    told = await look(served)
    assert (told.faulty, told.fault, told.waits) == ("caller", "certificate", False)
    assert "fault" not in json.loads(told.figures)["caller"]


async def test_who_has_been_joined_waits_for_nothing(served: Served) -> None:
    web = Browser(1000, ("PCMA",))
    to_web, leg = await call(served, web)
    await web.accept(to_web)
    await eventually(leg.has_keys, 10)
    told = await look(served)
    assert (told.fault, told.waits, told.gone) == ("", False, "")


async def test_rfc8445_who_never_sends_a_check_is_unreachable_in_the_end(served: Served) -> None:
    _, leg = await call(served, Browser(1000, ("PCMA",)))
    now = asyncio.get_running_loop().time()
    assert leg.link(now + web_leg.CONNECT_S - 1) == "waiting"
    assert leg.link(now + web_leg.CONNECT_S + 1) == "unreachable"


async def test_rfc5763_5_checks_without_a_handshake_are_no_connection_in_the_end(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ICE gets through and DTLS does not: a firewall that knows only STUN."""
    monkeypatch.setattr(dtls, "HANDSHAKE_S", 1.0)
    web = Browser(1000, ("PCMA",))
    to_web, leg = await call(served, web)
    deaf = leg.on_dtls
    leg.on_dtls = lambda data: None
    await web.accept(to_web)
    await eventually(lambda: leg._source is not None, 10)
    assert leg.link(asyncio.get_running_loop().time() + web_leg.CONNECT_S + 1) == "handshake"
    await eventually(lambda: bool(leg.trouble), 10)
    assert (await look(served)).fault == "handshake"
    # Another agreement, as of an answer that comes again with the 200: another association.
    leg.on_dtls = deaf
    assert leg.remote is not None
    leg.agree(leg.remote)
    assert (await look(served)).waits
    await eventually(leg.has_keys, 20)
    assert (await look(served)).fault == ""


async def test_a_browser_that_begins_when_the_phone_has_long_rung_is_joined(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 3960 §3.1: told of early media, it may begin with the answer, a minute later."""
    monkeypatch.setattr(dtls, "HANDSHAKE_S", 1.0)
    web = Browser(1000, ("PCMA",))
    to_web, leg = await call(served, web)
    assert not leg._dtls.started  # its time has not begun
    await web.accept(to_web)
    await eventually(leg.has_keys, 10)


async def test_a_page_that_is_left_may_come_back(served: Served) -> None:
    """Its association is closed; what comes then is another offer, or the end of consent."""
    web = Browser(1000, ("PCMA",))
    to_web, leg = await call(served, web)
    await web.accept(to_web)
    await eventually(leg.has_keys, 10)
    await web.close()
    await eventually(lambda: leg.trouble == "the peer closed its DTLS association", 10)
    told = await look(served)
    assert (told.fault, told.waits) == ("", True)
    now = asyncio.get_running_loop().time()
    leg.tick(now + 31)
    assert (await look(served)).gone == "caller"
    # It comes back at the last moment: another offer is agreed on, its first check is on its way.
    assert leg.remote is not None
    leg.agree(replace(leg.remote, ufrag="other"))
    told = await look(served)
    assert (told.gone, told.waits) == ("", True)
