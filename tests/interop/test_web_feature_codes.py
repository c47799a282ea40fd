"""Browsers and the calls that the telephone system is itself a side of: feature codes, `./run dial`."""

from __future__ import annotations

import os
import signal

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.dialled import Dialled
from tests.support.pbx_process import PbxProcess
from tests.support.wait import until
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension(number) for number in ("1181", "1182", "1183")]}

TONE = {"1181": 520.0, "1182": 740.0}


def last_row(pbx: PbxProcess, called: str) -> dict[str, object]:
    rows = until(
        lambda: pbx.query(
            "SELECT * FROM calls_call WHERE called = %s AND caller LIKE '118%%' AND state = 'ended'"
            " ORDER BY started DESC LIMIT 1",
            called,
        ),
        "the row",
        deadline=15,
    )
    return rows[0]


def test_the_echo_test_gives_the_page_its_own_tone(pbx: PbxProcess, web: WebPeople) -> None:
    page = web.open("1181")
    page.dial("*43")
    page.says("Talking")
    page.hears(TONE["1181"])
    page.press("Hold")
    page.says("On hold")
    page.press("Hold")
    page.says("Talking")
    page.hears(TONE["1181"])
    page.press("Hang up")
    page.is_idle()
    row = last_row(pbx, "*43")
    assert (row["result"], row["hangup_by"]) == ("answered", "caller")
    assert row["answered_by"] == "Echo test"
    assert page.trouble == []


def test_the_tone_comes_back_when_the_gateway_was_killed(pbx: PbxProcess, web: WebPeople) -> None:
    """The page notices and offers anew, which makes the call known to the next gateway."""
    page = web.open("1181")
    page.dial("*44")
    page.says("Talking")
    page.hears(440)
    (before,) = pbx.parts("-m sipengine.gateway")
    os.kill(before.pid, signal.SIGKILL)
    page.hears(0.0, within=1.0, deadline=20)
    page.hears(440, deadline=60)
    page.press("Hang up")
    page.is_idle()
    row = last_row(pbx, "*44")
    assert (row["result"], row["hangup_by"]) == ("answered", "caller")


def test_dial_rings_the_page_and_plays_the_tone(pbx: PbxProcess, web: WebPeople) -> None:
    page = web.open("1181")
    dialled = Dialled(pbx, "1181", "*44")
    page.says("Incoming call", timeout=20_000)
    page.press("Answer")
    page.hears(440)
    assert "hears the test tone" in dialled.said()
    page.press("Hang up")
    page.is_idle()
    assert page.trouble == []


@pytest.mark.parametrize("first", ["page", "desk"])
def test_dial_joins_a_page_and_a_desk_phone(
    pbx: PbxProcess, web: WebPeople, phones: Phones, first: str
) -> None:
    page = web.open("1181")
    desk = phones.baresip("1183", tone=880)
    dialled = Dialled(pbx, *(("1181", "1183") if first == "page" else ("1183", "1181")))

    def page_answers() -> None:
        page.says("Incoming call", timeout=20_000)
        page.press("Answer")

    def desk_answers() -> None:
        desk.wait_for("CALL_INCOMING", deadline=20)
        desk.accept()

    for answers in (
        (page_answers, desk_answers) if first == "page" else (desk_answers, page_answers)
    ):
        answers()
    page.hears(880)
    desk.hears(TONE["1181"], deadline=15)
    assert "they are connected" in dialled.said()
    page.press("Hold")
    page.says("On hold")
    page.press("Hold")
    page.says("Talking")
    page.hears(880)
    if first == "page":
        desk.hang_up()
    else:
        page.press("Hang up")
        desk.wait_for("CALL_CLOSED")
    page.is_idle()
    assert page.trouble == []


def test_dial_joins_two_pages(pbx: PbxProcess, web: WebPeople) -> None:
    alice, bob = web.open("1181"), web.open("1182")
    dialled = Dialled(pbx, "1181", "1182")
    alice.says("Incoming call", timeout=20_000)
    alice.press("Answer")
    bob.says("Incoming call", timeout=20_000)
    bob.press("Answer")
    alice.hears(TONE["1182"])
    bob.hears(TONE["1181"])
    assert "they are connected" in dialled.said()
    bob.press("Hang up")
    alice.is_idle()
    bob.is_idle()
    assert alice.trouble == bob.trouble == []
