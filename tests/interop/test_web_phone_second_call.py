"""A call comes to the page My phone while there is another one, in whatever state that is."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.interop.conftest import Phones
from tests.support.baresip import Baresip
from tests.support.cast import extension
from tests.support.my_phone import MyPhone
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension(f"435{digit}") for digit in range(1, 6)]}
TONE = {"4351": 440.0}


def beside(page: MyPhone) -> Locator:
    """The calls that are not the active one."""
    return page.window.get_by_role("list", name="Other calls").get_by_role("listitem")


def can(page: MyPhone, act: str) -> bool:
    """Whether the person can do that about a call of the list."""
    return beside(page).get_by_role("button", name=act).is_visible()


def speaks_with(page: MyPhone, who: str) -> None:
    expect(page.window.locator("#call-who")).to_have_text(who)


def talking(web: WebPeople, phones: Phones) -> tuple[MyPhone, Baresip]:
    page, desk = web.open("4351"), phones.baresip("4352", tone=880)
    desk.dial("4351")
    page.press("Answer")
    page.hears(880)
    return page, desk


def test_while_the_page_dials_a_call_is_refused_or_waits_for_its_turn(
    web: WebPeople, phones: Phones
) -> None:
    page, callee = web.open("4351"), phones.wire("4352")
    caller, third = phones.wire("4353"), phones.wire("4354")
    page.dial("4352")
    called = callee.incoming(deadline=10)
    called.ring()
    page.says("Ringing …")
    call = caller.call("4351")
    call.rings(deadline=10)
    expect(beside(page)).to_contain_text("4353")
    expect(beside(page)).to_contain_text("Incoming call")
    assert can(page, "Decline: 4353")
    assert not can(page, "Hold and answer: 4353")
    third.call("4351").fails(486, deadline=10)
    page.press("Decline: 4353")
    call.fails(603, deadline=10)
    expect(beside(page)).to_have_count(0)
    page.says("Ringing …")

    call = caller.call("4351")
    call.rings(deadline=10)
    expect(beside(page)).to_have_count(1)
    called.reject(486, "Busy Here")
    page.says("Incoming call")
    speaks_with(page, "4353")
    expect(page.window.get_by_role("alert")).to_contain_text("Busy.")
    page.press("Answer")
    dialog = call.answered(deadline=10)
    page.says("Talking")
    expect(page.window.get_by_role("alert")).to_be_hidden()
    assert dialog.bye().status == 200
    page.is_idle()
    assert page.trouble == []


def test_two_callers_ring_and_the_first_gives_up(web: WebPeople, phones: Phones) -> None:
    page = web.open("4351")
    first, second, third = (phones.wire(f"435{digit}") for digit in (2, 3, 4))
    one = first.call("4351")
    one.rings(deadline=10)
    page.says("Incoming call")
    speaks_with(page, "4352")
    two = second.call("4351")
    two.rings(deadline=10)
    expect(beside(page)).to_contain_text("4353")
    third.call("4351").fails(486, deadline=10)
    one.cancel()
    one.fails(487)
    speaks_with(page, "4353")
    expect(beside(page)).to_have_count(0)
    page.press("Answer")
    dialog = two.answered(deadline=10)
    page.says("Talking")
    assert dialog.bye().status == 200
    page.is_idle()
    assert page.trouble == []


def test_one_is_on_hold_another_is_answered_and_the_held_one_leaves(
    web: WebPeople, phones: Phones
) -> None:
    page, desk = talking(web, phones)
    caller, third = phones.baresip("4353", tone=550), phones.wire("4354")
    page.press("Hold")
    page.says("On hold")
    caller.dial("4351")
    page.press("Hold and answer: Phone 4353")
    caller.wait_for("CALL_ESTABLISHED")
    speaks_with(page, "Phone 4353")
    page.hears(550)
    expect(beside(page)).to_contain_text("On hold")
    third.call("4351").fails(486, deadline=10)
    desk.hang_up()
    expect(beside(page)).to_have_count(0)
    page.says("Talking")
    page.hears(550)
    caller.hang_up()
    page.is_idle()
    assert page.trouble == []


def test_who_is_talked_to_leaves_while_another_rings(web: WebPeople, phones: Phones) -> None:
    page, desk = talking(web, phones)
    call = phones.wire("4353").call("4351")
    call.rings(deadline=10)
    assert can(page, "Hold and answer: 4353")
    desk.hang_up()
    page.says("Incoming call")
    speaks_with(page, "4353")
    page.press("Decline")
    call.fails(603, deadline=10)
    page.is_idle()
    assert page.trouble == []


def test_a_transfer_that_is_being_chosen_is_of_the_call_it_was_chosen_for(
    web: WebPeople, phones: Phones
) -> None:
    """Another call that becomes the active one is not transferred instead."""
    page, desk = talking(web, phones)
    caller = phones.baresip("4353", tone=550)
    page.press("Transfer")
    expect(page.window.get_by_text("Transfer Phone 4352 to")).to_be_visible()
    caller.dial("4351")
    page.press("Hold and answer: Phone 4353")
    page.hears(550)
    expect(page.window.get_by_role("button", name="Transfer now")).to_be_hidden()

    page.press("Transfer")
    expect(page.window.get_by_text("Transfer Phone 4353 to")).to_be_visible()
    caller.hang_up()
    speaks_with(page, "Phone 4352")
    page.says("On hold")
    expect(page.window.get_by_role("button", name="Transfer now")).to_be_hidden()
    desk.hang_up()
    page.is_idle()
    assert page.trouble == []


def test_a_call_is_answered_while_a_transfer_is_under_way(web: WebPeople, phones: Phones) -> None:
    """What becomes of the transfer is told beside the call that is talked in."""
    page, desk = talking(web, phones)
    target, caller = phones.wire("4354"), phones.baresip("4353", tone=550)
    page.press("Transfer")
    page.window.get_by_label("Number or name").fill("4354")
    page.press("Transfer now")
    ringing = target.incoming(deadline=10)
    ringing.ring()
    expect(page.window.locator("#call-note")).to_have_text("Transferring …")
    transfer = page.window.get_by_role("button", name="Transfer", exact=True)
    expect(transfer).to_be_disabled()
    caller.dial("4351")
    page.press("Hold and answer: Phone 4353")
    page.hears(550)
    expect(beside(page)).to_contain_text("Transferring …")
    ringing.reject(486, "Busy Here")
    expect(beside(page)).to_contain_text("Not transferred. Busy.")
    page.press("Swap: Phone 4352")
    expect(page.window.locator("#call-note")).to_have_text("Not transferred. Busy.")
    expect(transfer).to_be_enabled()
    page.says("Talking")
    page.hears(880)
    caller.hang_up()
    desk.hang_up()
    page.is_idle()
    assert page.trouble == []
