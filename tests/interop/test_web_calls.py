"""A WebRTC telephone and desk phones call each other: each hears the other's tone."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import PASSWORD, extension
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.wait import until
from tests.support.web_phone import WebPhone

CONFIGURATION = {"extensions": [extension(f"280{digit}") for digit in range(1, 6)]}


class WebPhones:
    def __init__(self, pbx: PbxProcess, stack: ExitStack) -> None:
        self.pbx, self.stack = pbx, stack

    def make(
        self, number: str, *codecs: str, tone: float = 1000, chromium: bool = False
    ) -> WebPhone:
        phone = WebPhone(
            number, PASSWORD.format(number), port=int(self.pbx.environment["PBX_WS_PORT"]),
            domain=DOMAIN, tone=tone, codecs=codecs, chromium=chromium,
        )  # fmt: skip
        self.stack.enter_context(phone)
        phone.register()
        return phone


@pytest.fixture
def web_phones(pbx: PbxProcess) -> Iterator[WebPhones]:
    with ExitStack() as stack:
        yield WebPhones(pbx, stack)


def told(pbx: PbxProcess, phone: WebPhone) -> dict[str, Any]:
    """The figures in the row of the phone's call, which may come just after its end."""
    return until(lambda: json.loads(pbx.row_of(phone.call_id)["quality"] or "0"), "the figures")


def test_a_web_phone_calls_a_desk_phone(
    pbx: PbxProcess, phones: Phones, web_phones: WebPhones
) -> None:
    web, desk = web_phones.make("2801"), phones.baresip("2802", tone=440)
    web.dial("2802")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    web.established()
    desk.hears(1000, deadline=15)
    web.hears(440)
    web.offer_again()
    desk.hears(1000)
    web.hears(440)
    web.hang_up()
    desk.wait_for("CALL_CLOSED")
    figures = told(pbx, web)
    assert figures["silent"] == ""
    for side in ("caller", "callee"):
        assert figures[side]["packets"] > 25
        # rtpengine rates a call only after some reports, and does not tell what it transcodes.
        assert figures[side].get("mos_100", 440) > 400
        assert figures[side].get("transcoded", 0) == 0


def test_a_desk_phone_calls_a_web_phone(
    pbx: PbxProcess, phones: Phones, web_phones: WebPhones
) -> None:
    web, desk = web_phones.make("2801"), phones.baresip("2802", tone=660)
    desk.dial("2801")
    web.answer()
    web.acknowledged()
    desk.wait_for("CALL_ESTABLISHED")
    desk.hears(1000, deadline=15)
    web.hears(660)
    desk.hang_up()
    web.hung_up()
    assert pbx.row_of(web.call_id)["hangup_by"] == "caller"


@pytest.mark.parametrize("codec", ["", "opus"], ids=["as-offered", "opus-alone"])
def test_chromium_calls_a_desk_phone_and_restarts_ice(
    phones: Phones, web_phones: WebPhones, codec: str
) -> None:
    web = web_phones.make("2801", *filter(None, [codec]), chromium=True)
    desk = phones.baresip("2802", tone=440)
    web.dial("2802")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    web.established()
    desk.hears(1000, deadline=20)
    web.hears(440)
    web.offer_again()
    web.hears(440)
    desk.hears(1000)
    web.hang_up()
    desk.wait_for("CALL_CLOSED")


def test_a_desk_phone_calls_chromium(phones: Phones, web_phones: WebPhones) -> None:
    web, desk = web_phones.make("2801", chromium=True), phones.baresip("2802", tone=660)
    desk.dial("2801")
    web.answer()
    web.acknowledged()
    desk.hears(1000, deadline=20)
    web.hears(660)
    web.hang_up()
    desk.wait_for("CALL_CLOSED")


@pytest.mark.parametrize(
    "codec", ["pcmu", "G722/16000/1", "opus/48000/2"], ids=["PCMU", "G722", "Opus"]
)
def test_chromium_and_a_phone_of_one_codec_hear_each_other(
    pbx: PbxProcess, phones: Phones, web_phones: WebPhones, codec: str
) -> None:
    """Nothing is decoded between them: a browser speaks all three."""
    web = web_phones.make("2801", chromium=True)
    desk = phones.baresip("2802", tone=440, codecs=(codec,))
    web.dial("2802")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    web.established()
    desk.hears(1000, deadline=20)
    web.hears(440)
    web.hang_up()
    desk.wait_for("CALL_CLOSED")
    figures = told(pbx, web)
    for side in ("caller", "callee"):
        assert figures[side].get("transcoded", 0) == 0

    desk.dial("2801")
    web.answer()
    web.acknowledged()
    desk.hears(1000, deadline=20)
    web.hears(440)
    desk.hang_up()
    web.hung_up()


def test_two_web_phones_need_no_gateway(pbx: PbxProcess, web_phones: WebPhones) -> None:
    one, other = web_phones.make("2801", tone=700), web_phones.make("2803", tone=1100)
    one.dial("2803")
    other.answer()
    one.established()
    other.acknowledged()
    one.hears(1100, deadline=15)
    other.hears(700)
    one.hang_up(other)
    assert not pbx.row_of(one.call_id)["quality"]


def test_a_web_phone_with_opus_alone_is_transcoded_for_a_phone_with_g711(
    pbx: PbxProcess, phones: Phones, web_phones: WebPhones
) -> None:
    web, desk = web_phones.make("2801", "opus"), phones.baresip("2802", tone=440)
    web.dial("2802")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    web.established()
    desk.hears(1000, deadline=15)
    web.hears(440)
    web.hang_up()
    desk.wait_for("CALL_CLOSED")
    figures = told(pbx, web)
    assert figures["caller"].get("transcoded", 1) == 1


def test_rfc5763_5_a_web_phone_with_another_certificate_than_announced_is_hung_up_on(
    pbx: PbxProcess, phones: Phones, web_phones: WebPhones
) -> None:
    """Else both would listen to nothing for ever."""
    web, desk = web_phones.make("2801"), phones.baresip("2802")
    web.dial("2802", lambda sdp: re.sub(r"(sha-\d+ )[0-9A-F:]{11}", r"\g<1>00:00:00:00", sdp))
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    web.established()
    desk.wait_for("CALL_CLOSED", deadline=20)
    web.hung_up()
    row = pbx.row_of(web.call_id)
    assert row["hangup_by"] == "system"
    assert "the caller's browser showed another certificate than" in row["reason"]


def test_kill_9_of_the_gateway_ends_what_it_carried_and_nothing_else(
    pbx: PbxProcess, phones: Phones, web_phones: WebPhones
) -> None:
    """A new call goes through at once; the old one is ended and says why."""
    web, desk = web_phones.make("2801"), phones.baresip("2802", tone=440)
    one, other = phones.baresip("2804"), phones.baresip("2805", tone=550)
    web.dial("2802")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    web.established()
    web.hears(440, deadline=15)
    one.dial("2805")
    other.wait_for("CALL_INCOMING")
    other.accept()
    one.wait_for("CALL_ESTABLISHED")
    before = pbx.parts("-m sipengine.gateway")[0]
    os.kill(before.pid, signal.SIGKILL)
    until(
        lambda: [part for part in pbx.parts("-m sipengine.gateway") if part.pid != before.pid],
        "another gateway",
        deadline=15,
    )
    desk.wait_for("CALL_CLOSED", deadline=40)
    web.hung_up()
    row = until(
        lambda: pbx.row_of(web.call_id) if pbx.row_of(web.call_id)["ended"] else None, "the row"
    )
    assert row is not None
    assert row["hangup_by"] == "system"
    assert "the media gateway lost it" in row["reason"]
    one.hears(550)
    web.dial("2802")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    web.established()
    web.hears(440, deadline=15)
    web.hang_up()
    one.hang_up()
