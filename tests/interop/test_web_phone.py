"""The page My phone in real browsers: it registers without a password, calls, is called, is heard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.my_phone import PASSWORD, MyPhone
from tests.support.pbx_process import PbxProcess
from tests.support.wait import until
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension(number) for number in ("1191", "1192", "1193")]}

TONE = {"1191": 440.0, "1192": 660.0}

pytestmark = pytest.mark.whole_chromium


def test_one_page_calls_another_and_both_hear_each_other(pbx: PbxProcess, web: WebPeople) -> None:
    alice, bob = web.open("1191"), web.open("1192")
    alice.dial("1192")
    alice.says("Ringing …")
    bob.says("Incoming call")
    expect(bob.window.locator("#call-who")).to_have_text("Phone 1191")
    bob.press("Answer")
    alice.says("Talking")
    bob.says("Talking")
    alice.hears(TONE["1192"])
    bob.hears(TONE["1191"])

    bob.press("Mute")
    bob.says("Talking, microphone off")
    alice.hears(0.0, within=1.0)
    bob.press("Mute")
    alice.hears(TONE["1192"])

    alice.press("Hold")
    alice.says("On hold")
    bob.says("Put on hold by the other side")
    alice.press("Hold")
    alice.says("Talking")
    bob.says("Talking")
    bob.hears(TONE["1191"])

    alice.press("Hang up")
    alice.is_idle()
    bob.is_idle()
    past = bob.window.locator("#history li").first
    expect(past).to_contain_text("Phone 1191")
    expect(past).to_contain_text("Answered")
    assert alice.trouble == bob.trouble == []

    past.get_by_role("button").click()
    alice.says("Incoming call")
    alice.press("Decline")
    expect(bob.window.get_by_role("alert")).to_contain_text("Declined")
    alice.is_idle()


def test_a_page_and_a_desk_phone_call_each_other(web: WebPeople, phones: Phones) -> None:
    page = web.open("1191")
    desk = phones.baresip("1193", tone=880)
    page.dial("1193")
    desk.wait_for("CALL_INCOMING")
    page.says("Ringing …")
    desk.accept()
    page.says("Talking")
    page.hears(880)
    desk.hears(TONE["1191"], deadline=15)

    page.press("Hold")
    page.says("On hold")
    page.press("Hold")
    page.says("Talking")
    page.hears(880)
    desk.hears(TONE["1191"], deadline=15)
    desk.command("hold")
    page.says("Put on hold by the other side")
    desk.command("resume")
    page.says("Talking")
    page.hears(880)
    desk.hears(TONE["1191"], deadline=15)
    desk.hang_up()
    page.is_idle()

    desk.dial("1191")
    page.says("Incoming call")
    page.press("Answer")
    desk.wait_for("CALL_ESTABLISHED")
    page.hears(880)
    desk.hears(TONE["1191"], deadline=15)
    page.press("Hang up")
    desk.wait_for("CALL_CLOSED")
    assert page.trouble == []


def test_after_the_log_out_nobody_is_registered(pbx: PbxProcess, web: WebPeople) -> None:
    before = contacts_of(pbx, "1191")
    page = web.open("1191")
    (mine,) = contacts_of(pbx, "1191") - before
    assert mine.endswith("transport=ws")
    page.window.get_by_role("button", name="Log out").first.click()
    expect(page.window.get_by_role("button", name="Log in")).to_be_visible()
    until(
        lambda: mine not in contacts_of(pbx, "1191"),
        "the registration to end",
        deadline=10,
        pause=0.3,
    )


def contacts_of(pbx: PbxProcess, number: str) -> set[str]:
    return {row["contact"] for row in pbx.bindings() if row["aor"].startswith(f"{number}@")}


def test_what_cannot_be_reached_is_told_in_words(web: WebPeople) -> None:
    page = web.open("1191")
    page.dial("1199")
    expect(page.window.get_by_role("alert")).to_contain_text("There is no such number.")
    page.is_idle()
    page.dial("1193")
    expect(page.window.get_by_role("alert")).to_contain_text("Nobody can be reached there")


def test_without_a_microphone_the_page_says_so_on_a_small_screen_too(
    pbx: PbxProcess, people: None, browser: Browser
) -> None:
    assert pbx.ready is not None
    small = ViewportSize(width=390, height=844)
    with browser.new_context(base_url=pbx.ready.http, viewport=small) as context:
        page = MyPhone(context.new_page(), "person1191", PASSWORD)
        page.dial("1192")
        expect(page.window.get_by_role("alert")).to_contain_text("microphone")
        page.is_idle()
        sideways = page.window.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert sideways <= 0
