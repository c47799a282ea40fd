"""Whole calls at the page My phone without a mouse, and what a screen reader says of them."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.my_phone import MyPhone
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension(f"440{digit}") for digit in range(1, 5)]}
TONE = {"4401": 440.0}
MOST_STEPS = 60


def button(page: MyPhone, name: str) -> Locator:
    return page.window.get_by_role("button", name=name, exact=True)


def walk_to(page: MyPhone, wanted: Locator, key: str = "Tab") -> None:
    for _ in range(MOST_STEPS):
        if wanted.evaluate("it => it === document.activeElement"):
            return
        page.window.keyboard.press(key)
    raise AssertionError(f"{wanted} is not reached by {MOST_STEPS} times {key}")


def test_a_call_is_made_held_and_ended_by_keys_alone(web: WebPeople, phones: Phones) -> None:
    page, desk = web.open("4401"), phones.baresip("4402", tone=880)
    keyboard = page.window.keyboard
    number = page.window.get_by_label("Number or name")
    walk_to(page, number)
    keyboard.type("4402")
    keyboard.press("Enter")
    desk.wait_for("CALL_INCOMING")
    expect(button(page, "Hang up")).to_be_focused()
    desk.accept()
    page.hears(880)

    walk_to(page, button(page, "Mute"), "Shift+Tab")
    keyboard.press("Space")
    page.says("Talking, microphone off")
    expect(button(page, "Mute")).to_have_attribute("aria-pressed", "true")
    keyboard.press("Space")
    page.says("Talking")
    walk_to(page, button(page, "Hold"))
    keyboard.press("Enter")
    page.says("On hold")
    keyboard.press("Enter")
    page.says("Talking")

    walk_to(page, button(page, "Keys"))
    keyboard.press("Enter")
    keyboard.press("7")
    assert desk.wait_for("CALL_DTMF_START")["param"] == "7"
    keyboard.press("Escape")
    expect(button(page, "Keys")).to_be_focused()
    walk_to(page, button(page, "Transfer"))
    keyboard.press("Enter")
    expect(number).to_be_focused()
    keyboard.press("Escape")
    expect(button(page, "Transfer")).to_be_focused()

    walk_to(page, button(page, "Hang up"))
    keyboard.press("Enter")
    desk.wait_for("CALL_CLOSED")
    page.is_idle()
    expect(number).to_be_focused()
    assert page.trouble == []


def test_calls_that_come_are_taken_and_refused_by_keys_alone(
    web: WebPeople, phones: Phones
) -> None:
    """Wherever a button goes away under the person's finger, the focus is on another one at once."""
    page, desk = web.open("4401"), phones.baresip("4402", tone=880)
    other = phones.wire("4403")
    keyboard = page.window.keyboard
    desk.dial("4401")
    page.says("Incoming call")
    expect(button(page, "Answer")).to_be_focused()
    keyboard.press("Enter")
    page.says("Talking")
    page.hears(880)
    expect(button(page, "Mute")).to_be_focused()

    call = other.call("4401")
    call.rings(deadline=10)
    expect(button(page, "Mute")).to_be_focused()  # nothing is taken from under one's finger
    walk_to(page, button(page, "Decline: 4403"), "Shift+Tab")
    keyboard.press("Enter")
    call.fails(603, deadline=10)
    expect(button(page, "Mute")).to_be_focused()

    call = other.call("4401")
    call.rings(deadline=10)
    walk_to(page, button(page, "Hold and answer: 4403"), "Shift+Tab")
    keyboard.press("Enter")
    dialog = call.answered(deadline=10)
    expect(page.window.locator("#call-who")).to_have_text("4403")
    expect(page.window.locator("#call-now :focus, #other-calls :focus")).to_have_count(1)
    assert dialog.bye().status == 200
    expect(page.window.locator("#call-now :focus, #other-calls :focus")).to_have_count(1)
    desk.hang_up()
    page.is_idle()
    expect(page.window.get_by_label("Number or name")).to_be_focused()
    assert page.trouble == []


def test_a_screen_reader_says_who_calls_and_what_goes_on(web: WebPeople, phones: Phones) -> None:
    page = web.open("4401")
    first, second = phones.baresip("4402", tone=880), phones.wire("4403")
    panel = page.window.get_by_role("region", name="Phone")
    told = page.window.locator("#told")
    first.dial("4401")
    page.says("Incoming call")
    expect(panel).to_match_aria_snapshot(
        """
        - status: Phone 4402 is calling
        - status: Incoming call
        - paragraph: Phone 4402
        - button "Answer"
        - button "Decline"
        """
    )
    expect(button(page, "Answer")).to_have_accessible_description("Incoming call Phone 4402")
    page.press("Answer")
    page.hears(880)
    expect(told).to_be_empty()
    second.call("4401").rings(deadline=10)
    expect(told).to_have_text("4403 is calling")
    expect(panel).to_match_aria_snapshot(
        """
        - list "Other calls":
          - listitem:
            - paragraph:
              - text: "4403"
              - status: Incoming call
            - 'button "Hold and answer: 4403"'
            - 'button "Decline: 4403"'
        - status: Talking
        - paragraph: Phone 4402
        - button "Mute"
        - button "Hold"
        - button "Keys"
        - button "Transfer"
        - button "Hang up"
        """
    )
    page.press("Decline: 4403")
    page.press("Hang up")
    page.is_idle()
    assert page.trouble == []
