"""A call at the page My phone outlives a reload, a lost connection and a change of the tab."""

from __future__ import annotations

import os
import signal

import pytest
from playwright.sync_api import expect

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension(f"411{digit}") for digit in range(1, 5)]}
TONE = {"4111": 440.0, "4112": 660.0}


@pytest.mark.parametrize("outgoing", [True, False], ids=["page-calls", "page-is-called"])
def test_a_call_outlives_the_reload_of_the_page(
    pbx: PbxProcess, web: WebPeople, phones: Phones, outgoing: bool
) -> None:
    """By an offer within its dialog (RFC 3261 §14); the log has one row of it."""
    page, desk = web.open("4111"), phones.baresip("4113", tone=880)
    if outgoing:
        page.dial("4113")
        call = desk.wait_for("CALL_INCOMING")["id"]
        desk.accept()
    else:
        desk.dial("4111")
        page.press("Answer")
        call = desk.wait_for("CALL_ESTABLISHED")["id"]
    page.hears(880)
    desk.hears(TONE["4111"], deadline=15)
    page.press("Mute")
    page.window.reload()
    expect(
        page.window.get_by_role("heading", name="You were in a call with Phone 4113")
    ).to_be_visible()
    page.is_ready()
    page.press("Go on with the call")
    page.says("Talking, microphone off")
    page.hears(880)
    page.press("Mute")
    desk.hears_anew(TONE["4111"])
    page.press("Keys")
    page.key("9")
    assert desk.wait_for("CALL_DTMF_START")["param"] == "9"
    assert not desk.saw("CALL_CLOSED")
    if outgoing:
        page.press("Hang up")
    else:
        desk.hang_up()
    desk.wait_for("CALL_CLOSED")
    page.is_idle()
    row = pbx.row_of(call)
    assert (row["call_ids"], row["hangup_by"]) == ([call], "caller")
    assert page.trouble == []


def test_a_call_that_the_new_page_does_not_want_is_ended(web: WebPeople, phones: Phones) -> None:
    page, desk = web.open("4111"), phones.baresip("4113", tone=880)
    desk.dial("4111")
    page.press("Answer")
    page.hears(880)
    page.window.reload()
    page.press("End it")
    desk.wait_for("CALL_CLOSED")
    page.window.reload()
    page.is_ready()
    expect(page.window.get_by_role("button", name="Go on with the call")).to_be_hidden()


def test_a_page_that_does_not_come_back_leaves_nobody_waiting(
    pbx: PbxProcess, web: WebPeople, phones: Phones
) -> None:
    """RFC 7675 §5.1: consent ends after half a minute, and the call with it."""
    page, desk = web.open("4111"), phones.baresip("4113", tone=880)
    page.dial("4113")
    call = desk.wait_for("CALL_INCOMING")["id"]
    desk.accept()
    page.hears(880)
    page.window.close()
    desk.wait_for("CALL_CLOSED", deadline=50)
    row = pbx.row_of(call)
    assert row["hangup_by"] == "system"
    assert "not heard from" in row["reason"]


def test_two_pages_outlive_the_reload_of_one(web: WebPeople) -> None:
    alice, bob = web.open("4111"), web.open("4112")
    alice.dial("4112")
    bob.press("Answer")
    alice.hears(TONE["4112"])
    bob.hears(TONE["4111"])
    alice.window.reload()
    alice.press("Go on with the call")
    alice.hears(TONE["4112"])
    bob.hears(TONE["4111"])
    bob.says("Talking")
    bob.press("Hang up")
    alice.is_idle()


def test_a_call_outlives_the_loss_of_the_connection(
    pbx: PbxProcess, web: WebPeople, phones: Phones
) -> None:
    """The web part dies and comes back: the page connects, registers and restarts ICE in the call."""
    page, desk = web.open("4111"), phones.baresip("4113", tone=880)
    page.dial("4113")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    page.hears(880)
    for part in pbx.parts("uvicorn"):
        os.kill(part.pid, signal.SIGKILL)
    expect(page.window.get_by_text("No connection. Trying again …")).to_be_visible()
    expect(page.window.get_by_role("button", name="Hold", exact=True)).to_be_disabled()
    expect(page.window.get_by_text("Ready for calls")).to_be_visible(timeout=60_000)
    page.says("Talking")
    page.hears(880)
    page.press("Hold")
    page.says("On hold")
    page.hears(0, within=1)
    page.press("Hold")
    page.hears(880)
    page.press("Hang up")
    desk.wait_for("CALL_CLOSED")


def test_a_call_outlives_seconds_without_sound(
    pbx: PbxProcess, web: WebPeople, phones: Phones
) -> None:
    """Nothing comes from the gateway: the page says so, restarts ICE, and a refusal ends nothing."""
    page, desk = web.open("4111"), phones.baresip("4113", tone=880)
    page.dial("4113")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    page.hears(880)
    (gateway,) = pbx.parts("-m sipengine.gateway")
    os.kill(gateway.pid, signal.SIGSTOP)
    try:
        page.says("No sound connection. Trying again …")
    finally:
        os.kill(gateway.pid, signal.SIGCONT)
    page.says("Talking")
    page.hears(880)
    page.press("Hang up")
    desk.wait_for("CALL_CLOSED")


def test_one_tab_is_the_phone(pbx: PbxProcess, web: WebPeople, phones: Phones) -> None:
    """It alone is registered and rings; the call moves to where the person wants it; one that closes
    leaves the phone to the other."""
    first, desk = web.open("4111"), phones.baresip("4113", tone=880)
    bindings = contacts_of(pbx)
    second = first.tab()
    expect(
        second.window.get_by_role("heading", name="Your phone is in another tab")
    ).to_be_visible()
    expect(second.window.get_by_label("Number or name")).to_be_hidden()
    assert contacts_of(pbx) == bindings
    desk.dial("4111")
    first.says("Incoming call")
    second.is_idle()
    first.press("Answer")
    first.hears(880)

    second.press("Use it here")
    second.says("Talking")
    second.hears(880)
    expect(first.window.get_by_role("heading", name="Your phone is in another tab")).to_be_visible()
    first.is_idle()
    desk.hang_up()
    second.is_idle()

    second.window.close()
    first.is_ready()
    desk.dial("4111")
    first.says("Incoming call")
    first.press("Decline")
    assert contacts_of(pbx) == bindings
    assert first.trouble == []


def contacts_of(pbx: PbxProcess) -> set[str]:
    return {row["contact"] for row in pbx.bindings() if row["aor"].startswith("4111@")}


@pytest.mark.whole_chromium  # its shell shows no notices
def test_a_call_is_announced_while_nobody_looks(web: WebPeople, phones: Phones) -> None:
    page, desk = web.open("4111", "notifications"), phones.baresip("4113")
    page.window.evaluate(
        """() => {
            window.notices = [];
            window.Notification = class extends Notification {
                constructor(title, options) {
                    super(title, options);
                    window.notices.push(this);
                    this.addEventListener("close", () => { this.gone = true; });
                }
            };
            document.hasFocus = () => false;
        }"""
    )
    desk.dial("4111")
    page.says("Incoming call")
    page.window.wait_for_function("() => notices.length === 1")
    assert page.window.evaluate("notices[0].title") == "Phone 4113 is calling"
    desk.hang_up()
    page.is_idle()
    page.window.wait_for_function("() => notices[0].gone")


def test_leave_for_notices_is_asked_by_the_person_alone(web: WebPeople, phones: Phones) -> None:
    page, desk = web.open("4111"), phones.baresip("4113")
    question = page.window.get_by_role("region", name="Notices of calls")
    page.window.evaluate(
        """() => Object.defineProperty(Notification, "permission", { get: () => "default" })"""
    )
    expect(question).to_be_hidden()
    desk.dial("4111")
    page.press("Decline")
    expect(question).to_be_visible()
    page.press("Not now")
    expect(question).to_be_hidden()
    desk.dial("4111")
    page.press("Decline")
    page.is_idle()
    expect(question).to_be_hidden()
