"""Transfers by the page My phone that come to nothing: the person has the call as it was, and is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.interop.conftest import Phones
from tests.support.baresip import Baresip
from tests.support.cast import PASSWORD, extension
from tests.support.linphone import Linphone
from tests.support.my_phone import MyPhone
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.wait import until
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension(f"441{digit}") for digit in range(1, 6)]}
TONE = {"4411": 440.0}


def note(page: MyPhone) -> Locator:
    return page.window.locator("#call-note")


def talking(web: WebPeople, phones: Phones) -> tuple[MyPhone, Baresip]:
    page, desk = web.open("4411"), phones.baresip("4412", tone=880)
    desk.dial("4411")
    page.press("Answer")
    page.hears(880)
    return page, desk


def transfer(page: MyPhone, number: str) -> None:
    page.press("Transfer")
    page.window.get_by_label("Number or name").fill(number)
    page.press("Transfer now")


def test_the_people_found_leave_the_buttons_free(web: WebPeople, phones: Phones) -> None:
    page, desk = talking(web, phones)
    target = phones.wire("4413")
    page.press("Transfer")
    page.window.get_by_label("Number or name").fill("4413")
    expect(page.window.locator("#found").get_by_role("option")).to_have_count(1)
    page.press("Transfer now")
    target.incoming(deadline=10).reject(486, "Busy")
    expect(note(page)).to_have_text("Not transferred. Busy.")
    page.press("Hang up")
    desk.wait_for("CALL_CLOSED")


@pytest.mark.parametrize(
    ("status", "words"),
    [(486, "Busy."), (603, "Declined."), (480, "Nobody can be reached there at the moment.")],
)
def test_the_target_does_not_take_the_call(
    web: WebPeople, phones: Phones, status: int, words: str
) -> None:
    page, desk = talking(web, phones)
    target = phones.wire("4413")
    transfer(page, "4413")
    target.incoming(deadline=10).reject(status, "No")
    expect(note(page)).to_have_text(f"Not transferred. {words}")
    page.says("Talking")
    page.hears(880)
    desk.hears_anew(TONE["4411"])
    page.press("Hang up")
    desk.wait_for("CALL_CLOSED")
    page.is_idle()
    assert page.trouble == []


@pytest.fixture
def linphone(pbx: PbxProcess, tmp_path: Path) -> Iterator[Linphone]:
    account = (pbx.server, DOMAIN, PASSWORD.format("4415"))
    with Linphone("4415", tmp_path, *account) as desk:
        until(
            lambda: any(row["aor"] == f"4415@{DOMAIN}" for row in pbx.bindings()),
            "Linphone to register",
            deadline=15,
        )
        yield desk


def test_linphone_is_given_back_when_the_target_is_busy(
    web: WebPeople, phones: Phones, linphone: Linphone
) -> None:
    page, target = web.open("4411"), phones.wire("4413")
    page.dial("4415")
    linphone.answer(tone=600)
    page.hears(600)
    transfer(page, "4413")
    target.incoming(deadline=10).reject(486, "Busy Here")
    expect(note(page)).to_have_text("Not transferred. Busy.")
    page.says("Talking")
    page.press("Hang up")
    linphone.logged("LinphoneCallReleased")
    page.is_idle()
    assert page.trouble == []


def test_a_phone_that_takes_no_transfers(web: WebPeople, phones: Phones) -> None:
    page, desk = web.open("4411"), phones.wire("4414")
    call = desk.call("4411")
    call.rings(deadline=10)
    page.press("Answer")
    dialog = call.answered(deadline=10)
    page.says("Talking")
    transfer(page, "4413")
    desk.reply(desk.wire.receive_request("REFER"), 603, "Decline")
    expect(note(page)).to_have_text("The other phone does not take transfers.")
    page.says("Talking")
    assert dialog.bye().status == 200
    page.is_idle()


def test_who_is_transferred_hangs_up_instead(web: WebPeople, phones: Phones) -> None:
    page, desk = web.open("4411"), phones.wire("4414")
    call = desk.call("4411")
    call.rings(deadline=10)
    page.press("Answer")
    dialog = call.answered(deadline=10)
    page.says("Talking")
    transfer(page, "4413")
    desk.reply(desk.wire.receive_request("REFER"), 202, "Accepted")
    expect(note(page)).to_have_text("Transferring …")
    assert dialog.bye().status == 200
    page.is_idle()
    assert page.trouble == []


# ---------------------------------------------------------------- somebody is asked first


def ask_first(page: MyPhone, number: str) -> None:
    page.press("Second call")
    page.dial(number)


def goes_on_with_the_first(page: MyPhone, desk: Baresip) -> None:
    expect(page.window.locator("#call-who")).to_have_text("Phone 4412")
    page.says("On hold")
    page.press("Hold")
    page.says("Talking")
    page.hears(880)
    desk.hang_up()
    page.is_idle()
    assert page.trouble == []


@pytest.mark.parametrize(("status", "words"), [(486, "Busy."), (603, "Declined.")])
def test_who_is_asked_first_does_not_answer(
    web: WebPeople, phones: Phones, status: int, words: str
) -> None:
    page, desk = talking(web, phones)
    target = phones.wire("4413")
    ask_first(page, "4413")
    target.incoming(deadline=10).reject(status, "No")
    expect(page.window.get_by_role("alert")).to_contain_text(words)
    goes_on_with_the_first(page, desk)


def test_who_is_asked_first_hangs_up_during_the_question(web: WebPeople, phones: Phones) -> None:
    page, desk = talking(web, phones)
    target = phones.baresip("4413", tone=550)
    ask_first(page, "4413")
    target.wait_for("CALL_INCOMING")
    target.accept()
    page.hears(550)
    target.hang_up()
    goes_on_with_the_first(page, desk)


def test_who_was_asked_is_gone_when_both_are_connected(
    web: WebPeople, phones: Phones, linphone: Linphone
) -> None:
    """RFC 5589 §7.3: the INVITE with Replaces finds no call any more, and the first one is told of."""
    page, target = web.open("4411"), phones.wire("4413")
    page.dial("4415")
    linphone.answer(tone=600)
    page.hears(600)
    ask_first(page, "4413")
    dialog = target.incoming(deadline=10).answer()
    page.says("Talking")
    page.press("Connect both")
    replacing = target.incoming(deadline=10)
    assert replacing.invite["Replaces"]
    replacing.reject(481, "Call/Transaction Does Not Exist")
    assert dialog.bye().status == 200
    expect(page.window.locator("#call-who")).to_have_text("Phone 4415")
    expect(note(page)).to_have_text("Not transferred. That call is over already.")
    page.says("On hold")
    page.press("Hold")
    page.says("Talking")
    page.press("Hang up")
    linphone.logged("LinphoneCallReleased")
    page.is_idle()
    assert page.trouble == []
