"""The connection of the page My phone dies without a close, as in sleep or on another network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.interop.conftest import Phones
from tests.support.cable import Cable
from tests.support.cast import extension
from tests.support.my_phone import MyPhone
from tests.support.pbx_process import PbxProcess
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension(f"438{digit}") for digit in range(1, 4)]}
TONE = {"4381": 440.0}


@pytest.fixture
def cable(pbx: PbxProcess) -> Iterator[Cable]:
    assert pbx.ready is not None
    with Cable(("127.0.0.1", int(pbx.ready.http.rsplit(":", 1)[1]))) as cable:
        yield cable


def page_behind(cable: Cable, web: WebPeople) -> MyPhone:
    return web.open("4381", at=f"http://127.0.0.1:{cable.port}")


def is_away(page: MyPhone, *, within_s: float) -> None:
    state = page.window.get_by_text("No connection. Trying again …")
    expect(state).to_be_visible(timeout=within_s * 1000)


def is_back(page: MyPhone) -> None:
    expect(page.window.get_by_text("Ready for calls")).to_be_visible(timeout=40_000)


def test_rfc5626_4_4_1_the_page_notices_by_itself_and_the_call_goes_on(
    cable: Cable, web: WebPeople, phones: Phones
) -> None:
    """25 quiet seconds, a ping, 3 seconds without a pong."""
    page, desk = page_behind(cable, web), phones.baresip("4382", tone=880)
    desk.dial("4381")
    page.press("Answer")
    page.hears(880)
    cable.pull_out()
    is_away(page, within_s=40)
    page.hears(880)
    page.says("Talking")
    expect(page.window.get_by_role("button", name="Hold", exact=True)).to_be_disabled()
    cable.put_in()
    is_back(page)
    page.says("Talking")
    page.press("Hold")
    page.says("On hold")
    page.press("Hold")
    page.hears(880)
    page.press("Hang up")
    desk.wait_for("CALL_CLOSED")
    page.is_idle()
    desk.dial("4381")
    page.press("Answer")
    page.hears(880)
    desk.hang_up()
    page.is_idle()


WAKES_UP = "document.dispatchEvent(new Event('visibilitychange'))"


def test_a_page_that_comes_into_sight_again_looks_at_once(cable: Cable, web: WebPeople) -> None:
    """After sleep nobody waits half a minute to be reachable."""
    page = page_behind(cable, web)
    cable.pull_out()
    page.window.evaluate(WAKES_UP)
    is_away(page, within_s=6)
    cable.put_in()
    is_back(page)


def test_who_hung_up_meanwhile_is_not_talked_to(
    cable: Cable, web: WebPeople, phones: Phones
) -> None:
    """The BYE did not reach the page; it learns of it when it offers its sound anew."""
    page, desk = page_behind(cable, web), phones.baresip("4382", tone=880)
    desk.dial("4381")
    page.press("Answer")
    page.hears(880)
    cable.pull_out()
    page.window.evaluate(WAKES_UP)
    is_away(page, within_s=6)
    desk.hang_up()
    cable.put_in()
    is_back(page)
    expect(page.window.locator("#call-now")).to_be_hidden(timeout=20_000)


def test_the_page_hangs_up_meanwhile(cable: Cable, web: WebPeople, phones: Phones) -> None:
    """The other side is told as soon as that can be done."""
    page, desk = page_behind(cable, web), phones.baresip("4382", tone=880)
    desk.dial("4381")
    page.press("Answer")
    page.hears(880)
    cable.pull_out()
    page.window.evaluate(WAKES_UP)
    is_away(page, within_s=6)
    page.press("Hang up")
    page.is_idle()
    cable.put_in()
    desk.wait_for("CALL_CLOSED", deadline=25)
    is_back(page)
