"""One person with the page My phone open in two browsers: both ring, one is the phone that talks."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.my_phone import MyPhone
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension("4391"), extension("4392")]}
TONE = {"4391": 440.0}


def history_begins_with(page: MyPhone, *words: str) -> None:
    newest = page.window.locator("#history li").first
    for word in words:
        expect(newest).to_contain_text(word, timeout=15_000)


def test_one_answers_and_the_other_stops_and_has_missed_nothing(
    web: WebPeople, phones: Phones
) -> None:
    home, office = web.open("4391", "notifications"), web.open("4391", "notifications")
    desk = phones.baresip("4392", tone=880)
    desk.dial("4391")
    for page in (home, office):
        page.says("Incoming call")
        expect(page.window).to_have_title("Phone 4392 is calling")
    office.press("Answer")
    home.is_idle()
    expect(home.window).to_have_title(re.compile("^My phone"))
    expect(home.window.get_by_role("alert")).to_be_hidden()
    office.hears(880)
    home.is_idle()
    home.is_ready()

    home.dial("4392")  # the other browser is a phone of its own
    desk.wait_for("CALL_INCOMING")
    home.press("Hang up")
    office.says("Talking")
    desk.hang_up()
    office.is_idle()
    for page in (home, office):
        page.window.reload()
        page.is_ready()
        past = page.window.locator("#history li")
        expect(past.nth(0)).to_contain_text("Caller gave up", timeout=15_000)
        expect(past.nth(1)).to_contain_text("Answered")
    assert home.trouble == office.trouble == []


def test_one_declines_and_neither_rings(web: WebPeople, phones: Phones) -> None:
    """RFC 3261 §16.7: a 603 is the person's no, wherever it is said."""
    home, office = web.open("4391"), web.open("4391")
    call = phones.wire("4392").call("4391")
    call.rings(deadline=10)
    for page in (home, office):
        page.says("Incoming call")
    home.press("Decline")
    call.fails(603, deadline=10)
    for page in (home, office):
        page.is_idle()
        history_begins_with(page, "Phone 4392", "Declined")
    assert home.trouble == office.trouble == []
