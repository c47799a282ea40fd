"""What a person does in a call at the page My phone: keys, hold, a second call, transfers."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.interop.conftest import Phones
from tests.support.baresip import Baresip
from tests.support.cast import extension
from tests.support.my_phone import MyPhone
from tests.support.pbx_process import PbxProcess
from tests.support.tone import SILENCE
from tests.support.wait import until
from tests.support.web_people import WebPeople

CONFIGURATION = {
    "extensions": [extension(f"410{digit}") for digit in range(1, 7)],
    "rules": [
        {
            "name": "web phone: moved",
            "called": "4108",
            "action": "redirect",
            "targets": ["sip:4103@elsewhere.test"],
        }
    ],
}
TONE = {"4101": 440.0, "4102": 660.0, "4106": 990.0}


def test_keys_both_ways_and_hold_by_the_desk_phone(web: WebPeople, phones: Phones) -> None:
    """RFC 4733 by the gateway: the desk phone is told of keys, the page hears their tones."""
    page, desk = web.open("4101"), phones.baresip("4103", tone=880)
    page.dial("4103")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    page.hears(880)
    page.press("Keys")
    page.key("5")
    page.window.keyboard.press("#")
    assert [desk.wait_for("CALL_DTMF_START")["param"] for _ in range(2)] == ["5", "#"]
    expect(page.window.get_by_role("status", name="Tones sent")).to_have_text("5#")
    desk.command("sndcode", "1")
    page.hears_both(697, 1209)
    page.hears(880)
    desk.command("hold")
    page.says("Put on hold by the other side")
    page.hears(0, within=1)
    desk.command("resume")
    page.says("Talking")
    page.hears(880)
    page.press("Hang up")
    desk.wait_for("CALL_CLOSED")
    page.is_idle()
    assert page.trouble == []


def test_mute_and_hold_by_the_page(web: WebPeople, phones: Phones) -> None:
    """Interop: baresip records nothing after a hold; that it gets keys shows that it hears again."""
    page, desk = web.open("4101"), phones.baresip("4103", tone=880)
    desk.dial("4101")
    page.press("Answer")
    page.hears(880)
    desk.hears(TONE["4101"], deadline=15)
    page.press("Mute")
    page.says("Talking, microphone off")
    until(lambda: desk.heard().last(0.3).loudness() < SILENCE, "silence", deadline=10)
    page.press("Mute")
    desk.hears(TONE["4101"])
    page.press("Hold")
    page.says("On hold")
    page.hears(0, within=1)
    page.press("Hold")
    page.says("Talking")
    page.hears(880)
    keys_reach(page, desk, "7")
    desk.hang_up()
    page.is_idle()
    assert page.trouble == []


def keys_reach(page: MyPhone, desk: Baresip, key: str) -> None:
    page.press("Keys")
    page.key(key)
    assert desk.wait_for("CALL_DTMF_START")["param"] == key
    page.press("Keys")


def test_two_calls_and_swapping_between_them(web: WebPeople, phones: Phones) -> None:
    """The other one is held; whichever ends leaves the rest alone, and a third caller finds it busy."""
    page = web.open("4101")
    one, two = phones.baresip("4103", tone=880), phones.baresip("4104", tone=550)
    third = phones.baresip("4105", tone=700)
    page.dial("4103")
    one.wait_for("CALL_INCOMING")
    one.accept()
    page.hears(880)

    page.press("Second call")
    page.dial("4104")
    two.wait_for("CALL_INCOMING")
    two.accept()
    page.hears(550)
    two.hears(TONE["4101"], deadline=15)
    third.dial("4101")
    assert "486" in third.wait_for("CALL_CLOSED")["param"]

    page.press("Swap: Phone 4103")
    expect(page.window.locator("#call-who")).to_have_text("Phone 4103")
    page.hears(880)
    keys_reach(page, one, "1")
    two.hang_up()
    expect(page.window.locator("#other-calls")).to_be_hidden()
    page.hears(880)

    third.dial("4101")
    page.press("Hold and answer: Phone 4105")
    third.wait_for("CALL_ESTABLISHED")
    page.hears(700)
    third.hears(TONE["4101"], deadline=15)
    page.press("Hang up")
    third.wait_for("CALL_CLOSED")
    page.says("On hold")
    expect(page.window.locator("#call-who")).to_have_text("Phone 4103")
    page.press("Hold")
    page.hears(880)
    one.hang_up()
    page.is_idle()
    assert page.trouble == []


def test_a_blind_transfer_is_one_row(pbx: PbxProcess, web: WebPeople, phones: Phones) -> None:
    page = web.open("4101")
    desk, target = phones.baresip("4103", tone=880), phones.baresip("4104", tone=550)
    desk.dial("4101")
    page.press("Answer")
    first = desk.wait_for("CALL_ESTABLISHED")["id"]
    page.hears(880)
    page.press("Transfer")
    page.window.get_by_label("Number or name").fill("4104")
    page.press("Transfer now")
    target.wait_for("CALL_INCOMING")
    target.accept()
    page.is_idle()
    target.hears(880, deadline=15)
    desk.hears(550)
    target.hang_up()
    desk.wait_for("CALL_CLOSED")
    row = pbx.row_of(first)
    assert "transferred" in row["reason"]
    assert len(row["call_ids"]) == 2
    assert page.trouble == []


def test_the_target_of_a_transfer_is_clicked_among_the_people(
    web: WebPeople, phones: Phones
) -> None:
    """Nothing is done yet, and the button that does it is in sight."""
    page, desk = web.open("4101"), phones.baresip("4103", tone=880)
    desk.dial("4101")
    page.press("Answer")
    page.hears(880)
    page.press("Transfer")
    page.window.locator("#people [data-dial='4104']").click()
    expect(page.window.get_by_label("Number or name")).to_have_value("4104")
    page.says("Talking")
    expect(page.window.get_by_role("button", name="Transfer now")).to_be_in_viewport(ratio=1)
    desk.hang_up()
    page.is_idle()
    assert page.trouble == []


def test_a_moved_number_is_told_in_words(web: WebPeople) -> None:
    page = web.open("4101")
    page.dial("4108")
    expect(page.window.get_by_role("alert")).to_contain_text("another address now")
    page.is_idle()


def test_a_transfer_that_fails_gives_the_call_back(web: WebPeople, phones: Phones) -> None:
    page, desk = web.open("4101"), phones.baresip("4103", tone=880)
    desk.dial("4101")
    page.press("Answer")
    page.hears(880)
    page.press("Transfer")
    page.window.get_by_label("Number or name").fill("4199")
    page.press("Transfer now")
    expect(page.window.locator("#call-note")).to_contain_text("There is no such number.")
    page.says("Talking")
    desk.hang_up()
    page.is_idle()


def test_an_attended_transfer(pbx: PbxProcess, web: WebPeople) -> None:
    """REFER with Replaces (RFC 5589 §7): who asked first leaves, the other two hear each other."""
    alice, bob, carol = (web.open(number) for number in TONE)
    bob.dial("4101")
    alice.press("Answer")
    bob.hears(TONE["4101"])
    alice.press("Second call")
    alice.dial("4106")
    carol.press("Answer")
    alice.hears(TONE["4106"])
    bob.says("Put on hold by the other side")
    alice.press("Connect both")
    alice.is_idle()
    bob.hears(TONE["4106"])
    carol.hears(TONE["4102"])
    bob.says("Talking")
    carol.press("Hang up")
    bob.is_idle()
    assert alice.trouble == bob.trouble == carol.trouble == []
