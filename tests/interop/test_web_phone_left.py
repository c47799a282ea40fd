"""The page My phone is loaded again while a call is held, rings here or rings there."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.my_phone import MyPhone
from tests.support.web_people import WebPeople
from tests.support.wire_calls import SDP
from tests.support.wire_phone import WirePhone

CONFIGURATION = {"extensions": [extension(f"436{digit}") for digit in range(1, 5)]}
TONE = {"4361": 440.0}


def loaded_again(page: MyPhone) -> None:
    page.window.reload()
    page.is_ready()


def test_a_call_that_the_page_holds_is_held_after_it(web: WebPeople, phones: Phones) -> None:
    page, desk = web.open("4361"), phones.baresip("4362", tone=880)
    desk.dial("4361")
    page.press("Answer")
    page.hears(880)
    page.press("Hold")
    page.says("On hold")
    loaded_again(page)
    page.press("Go on with the call")
    page.says("On hold")
    page.hears(0, within=1)
    assert not desk.saw("CALL_CLOSED")
    page.press("Hold")
    page.says("Talking")
    page.hears(880)
    desk.hang_up()
    page.is_idle()
    assert page.trouble == []


def test_a_call_that_the_other_side_holds_is_shown_so_after_it(
    web: WebPeople, phones: Phones
) -> None:
    page, desk = web.open("4361"), phones.baresip("4362", tone=880)
    desk.dial("4361")
    page.press("Answer")
    page.hears(880)
    desk.command("hold")
    page.says("Put on hold by the other side")
    loaded_again(page)
    page.press("Go on with the call")
    page.says("Put on hold by the other side")
    desk.command("resume")
    page.says("Talking")
    page.hears(880)
    desk.hang_up()
    page.is_idle()
    assert page.trouble == []


def test_two_calls_are_there_after_it_one_held(web: WebPeople, phones: Phones) -> None:
    page = web.open("4361")
    one, two = phones.baresip("4362", tone=880), phones.baresip("4363", tone=550)
    one.dial("4361")
    page.press("Answer")
    page.hears(880)
    two.dial("4361")
    page.press("Hold and answer: Phone 4363")
    page.hears(550)
    loaded_again(page)
    expect(page.window.get_by_role("heading", name="You were in a call with")).to_contain_text(
        "Phone 4362 and Phone 4363"
    )
    page.press("Go on with the call")
    expect(page.window.locator("#call-who")).to_have_text("Phone 4363")
    page.hears(550)
    page.press("Swap: Phone 4362")
    page.hears(880)
    two.hang_up()
    one.hang_up()
    page.is_idle()
    assert page.trouble == []


def test_another_call_is_answered_before_the_one_from_before_is_gone_on_with(
    web: WebPeople, phones: Phones
) -> None:
    """Nobody hears what is said to somebody else: the one from before comes back on hold."""
    page, one, two = web.open("4361"), phones.wire("4362"), phones.baresip("4363", tone=550)
    call = one.call("4361")
    call.rings(deadline=10)
    page.press("Answer")
    dialog = call.answered(deadline=10)
    page.says("Talking")
    loaded_again(page)
    two.dial("4361")
    page.press("Answer")
    page.hears(550)
    page.press("Go on with the call")
    is_offered(one, "sendonly")
    others = page.window.get_by_role("list", name="Other calls")
    expect(others).to_contain_text("4362On hold")
    expect(page.window.locator("#call-who")).to_have_text("Phone 4363")
    page.says("Talking")
    page.hears(550)
    page.press("Swap: 4362")
    is_offered(one, "sendrecv")
    expect(page.window.locator("#call-who")).to_have_text("4362")
    page.says("Talking")
    assert dialog.bye().status == 200
    two.hang_up()
    page.is_idle()
    assert page.trouble == []


def is_offered(phone: WirePhone, direction: str) -> None:
    """The page changes the call so, and the phone takes it."""
    offer = phone.wire.receive_request("INVITE", 10)
    assert f"a={direction}" in offer.body
    takes = {"sendonly": "recvonly"}.get(direction, direction)
    contact = f"Contact: {phone.contact}"
    phone.reply(offer, 200, "OK", extra=contact, body=SDP.format(direction=takes))
    phone.wire.receive_request("ACK", 10)


def test_a_call_that_rings_here_rings_on_at_the_persons_other_phones(
    web: WebPeople, phones: Phones
) -> None:
    """The page that is left lets go of it; who has no other phone is told that nobody can be reached."""
    page, desk = web.open("4361"), phones.wire("4362")
    call = desk.call("4361")
    call.rings(deadline=10)
    page.says("Incoming call")
    loaded_again(page)
    call.fails(480, deadline=10)
    page.is_idle()

    other = phones.wire("4361")
    call = desk.call("4361")
    ringing = other.incoming(deadline=10)
    ringing.ring()
    page.says("Incoming call")
    loaded_again(page)
    page.is_idle()
    ringing.send_ok()
    call.answered(deadline=10).request("BYE")
    other.wire.receive_request("ACK")
    other.reply(other.wire.receive_request("BYE"), 200, "OK")
    assert page.trouble == []


def test_a_call_that_rings_there_is_cancelled(web: WebPeople, phones: Phones) -> None:
    page, desk = web.open("4361"), phones.wire("4362")
    page.dial("4362")
    ringing = desk.incoming(deadline=10)
    ringing.ring()
    page.says("Ringing …")
    loaded_again(page)
    ringing.cancelled(deadline=10)
    page.is_idle()
    expect(page.window.get_by_role("button", name="Go on with the call")).to_be_hidden()
    assert page.trouble == []
