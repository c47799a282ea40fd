"""Messages cross between the page My phone and the other side (RFC 3261 §9, §13.2.2.4; RFC 5407)."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.my_phone import MyPhone
from tests.support.wait import until
from tests.support.web_people import WebPeople
from tests.support.wire import Message
from tests.support.wire_calls import SDP, IncomingCall

CONFIGURATION = {"extensions": [extension(f"434{digit}") for digit in range(1, 5)]}
TONE = {"4341": 440.0}

HELD_BACK = """
    window.heldBack = [];
    window.WebSocket = class extends WebSocket {
        set onmessage(hear) {
            super.onmessage = (event) => {
                const first = String(event.data).split("\\r\\n")[0];
                if (window.holdBack && new RegExp(window.holdBack).test(first)) {
                    window.heldBack.push(() => hear(event));
                } else hear(event);
            };
        }
    };
    window.letIn = () => {
        window.holdBack = "";
        for (const hear of window.heldBack.splice(0)) hear();
    };
    const devices = navigator.mediaDevices;
    const open = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wanted) => {
        await window.asking;
        const stream = await open(wanted);
        setTimeout(() => (window.opened += 1)); // when the page has had it
        return stream;
    };
    window.opened = 0;
    window.ask = () => {
        window.asking = new Promise((resolve) => (window.allow = resolve));
    };
"""
"""What comes late to the page: messages that begin like `holdBack`, the person's leave for the
microphone. A network and a person decide that; here the test does."""


def open_slow(web: WebPeople) -> MyPhone:
    page = web.open("4341")
    page.window.add_init_script(HELD_BACK)
    page.window.reload()
    page.is_ready()
    return page


def hold_back(page: MyPhone, what: str) -> None:
    page.window.evaluate("what => { window.holdBack = what }", what)


def until_held_back(page: MyPhone, count: int = 1) -> None:
    until(lambda: page.window.evaluate("heldBack.length") >= count, "messages", deadline=10)


def let_in(page: MyPhone) -> None:
    page.window.evaluate("letIn()")


# ---------------------------------------------------------------- the page is called


def test_the_caller_hangs_up_before_the_microphone_is_allowed(
    web: WebPeople, phones: Phones
) -> None:
    """Nothing is left of the call, and the next one is answered as ever."""
    page, desk = open_slow(web), phones.wire("4342")
    call = desk.call("4341")
    call.rings(deadline=10)
    page.window.evaluate("ask()")
    page.press("Answer")
    call.cancel()
    call.fails(487)
    page.is_idle()
    page.window.evaluate("allow()")
    until(lambda: page.window.evaluate("opened") > 0, "the microphone", deadline=10)
    page.is_idle()
    expect(page.window).to_have_title(re.compile("^My phone"))
    again = desk.call("4341")
    again.rings(deadline=10)
    page.press("Answer")
    dialog = again.answered(deadline=10)
    page.says("Talking")
    assert dialog.bye().status == 200
    page.is_idle()
    assert page.trouble == []


def test_rfc3261_9_2_the_caller_hangs_up_in_the_moment_of_the_answer(
    web: WebPeople, phones: Phones
) -> None:
    """The page's 200 is on its way when the CANCEL comes: there is a call, and its caller ends it."""
    page, desk = open_slow(web), phones.wire("4342")
    call = desk.call("4341")
    call.rings(deadline=10)
    hold_back(page, "^CANCEL")
    call.cancel()
    until_held_back(page)
    page.press("Answer")
    dialog = call.answered(deadline=10)
    let_in(page)
    page.says("Talking")
    assert dialog.bye().status == 200
    page.is_idle()
    assert page.trouble == []


def test_rfc3261_14_2_a_caller_who_never_acknowledges_is_not_talked_to(
    web: WebPeople, phones: Phones
) -> None:
    """It hung up and is gone: after half a minute the page ends the call and says why."""
    page, desk = web.open("4341"), phones.wire("4342")
    page.window.clock.install()
    page.window.reload()
    page.is_ready()
    call = desk.call("4341")
    call.rings(deadline=10)
    page.press("Answer")
    page.says("Talking")
    page.window.clock.fast_forward(33_000)
    page.is_idle()
    expect(page.window.get_by_role("alert")).to_contain_text("The other phone did not go on")
    desk.wire.receive_final("INVITE")
    desk.wire.receive_request("BYE", 10)


# ---------------------------------------------------------------- the page calls


def ringing(page: MyPhone, phones: Phones) -> IncomingCall:
    desk = phones.wire("4342")
    page.dial("4342")
    call = desk.incoming(deadline=10)
    call.ring()
    page.says("Ringing …")
    return call


def is_ended_at_once(call: IncomingCall) -> None:
    call.phone.wire.receive_request("ACK", 10)
    bye = call.phone.wire.receive_request("BYE", 10)
    call.phone.reply(bye, 200, "OK")


def test_rfc3261_9_1_the_callee_answers_though_it_was_cancelled(
    web: WebPeople, phones: Phones
) -> None:
    page = web.open("4341")
    call = ringing(page, phones)
    page.press("Hang up")
    cancel = call.phone.wire.receive_request("CANCEL")
    call.phone.reply(cancel, 200, "OK", tag=call.tag)
    call.send_ok()
    is_ended_at_once(call)
    page.is_idle()
    assert page.trouble == []


@pytest.mark.parametrize("hangs_up", ["before-the-answer-is-here", "when-it-is-here"])
def test_rfc5407_3_1_2_the_page_hangs_up_in_the_moment_of_the_answer(
    web: WebPeople, phones: Phones, hangs_up: str
) -> None:
    page = open_slow(web)
    call = ringing(page, phones)
    if hangs_up == "when-it-is-here":
        # The browser has not taken the description yet when the person hangs up.
        page.window.evaluate(
            """() => {
                RTCPeerConnection.prototype.setRemoteDescription = () => {
                    document.getElementById("hang-up").click();
                    return new Promise(() => {});
                };
            }"""
        )
        call.send_ok()
    else:
        hold_back(page, "^SIP/2.0 200")
        call.send_ok()
        until_held_back(page)
        page.press("Hang up")
        let_in(page)
    is_ended_at_once(call)
    page.is_idle()
    assert page.trouble == []


def test_rfc3261_13_2_2_4_two_phones_answer_and_one_is_talked_to(
    web: WebPeople, phones: Phones
) -> None:
    """The second answer is acknowledged and ended; the first call goes on."""
    page = open_slow(web)
    first, second = phones.wire("4342"), phones.wire("4342")
    page.dial("4342")
    one, two = first.incoming(deadline=10), second.incoming(deadline=10)
    hold_back(page, "^SIP/2.0 200")
    one.send_ok()
    two.send_ok()
    until_held_back(page, 2)
    let_in(page)
    for call in (one, two):
        call.phone.wire.receive_request("ACK", 10)
    bye = two.phone.wire.receive_request("BYE", 10)
    two.phone.reply(bye, 200, "OK")
    page.says("Talking")
    one.phone.wire.nothing("BYE", 1)
    page.press("Hang up")
    bye = one.phone.wire.receive_request("BYE", 10)
    one.phone.reply(bye, 200, "OK")
    page.is_idle()
    assert page.trouble == []


# ---------------------------------------------------------------- both change the call at once


def test_rfc3261_14_1_both_sides_offer_at_once(web: WebPeople, phones: Phones) -> None:
    """Each refuses the other's offer; the page makes its own anew, and the call goes on."""
    page = web.open("4341")
    call = ringing(page, phones)
    desk, dialog = call.phone, call.answer()
    page.says("Talking")
    page.press("Hold")
    holds = desk.wire.receive_request("INVITE", 10)
    name = dialog.request("INVITE", body=SDP.format(direction="sendrecv"))
    assert desk.wire.receive_final("INVITE", 10).status == 491
    dialog.request("ACK", number=dialog.cseq, via=name)
    desk.reply(holds, 491, "Request Pending")
    desk.wire.receive_request("ACK", 10)
    again = desk.wire.receive_request("INVITE", 10)
    assert "a=sendonly" in again.body
    takes(call, again, "recvonly")
    page.says("On hold")

    name = dialog.request("INVITE", body=SDP.format(direction="sendrecv"))
    assert desk.wire.receive_final("INVITE", 10).status == 200
    dialog.request("ACK", number=dialog.cseq)
    page.press("Hold")
    back = desk.wire.receive_request("INVITE", 10)
    assert "a=sendrecv" in back.body
    takes(call, back, "sendrecv")
    page.says("Talking")
    assert dialog.bye().status == 200
    page.is_idle()
    assert page.trouble == []


def takes(call: IncomingCall, offer: Message, direction: str) -> None:
    contact = f"Contact: {call.phone.contact}"
    call.phone.reply(offer, 200, "OK", extra=contact, body=SDP.format(direction=direction))
    call.phone.wire.receive_request("ACK", 10)


@pytest.mark.parametrize("hold", [True, False], ids=["hold", "take-back"])
def test_rfc3261_14_1_a_change_that_is_refused_leaves_the_call_as_it_was(
    web: WebPeople, phones: Phones, hold: bool
) -> None:
    page = web.open("4341")
    call = ringing(page, phones)
    desk, dialog = call.phone, call.answer()
    page.says("Talking")
    page.press("Hold")
    asked = desk.wire.receive_request("INVITE", 10)
    if not hold:
        takes(call, asked, "recvonly")
        page.says("On hold")
        page.press("Hold")
        asked = desk.wire.receive_request("INVITE", 10)
    desk.reply(asked, 488, "Not Acceptable Here")
    desk.wire.receive_request("ACK", 10)
    page.says("Talking" if hold else "On hold")
    expect(page.window.locator("#call-note")).to_have_text("The other phone does not take that.")
    page.press("Hold")
    takes(call, desk.wire.receive_request("INVITE", 10), "recvonly" if hold else "sendrecv")
    page.says("On hold" if hold else "Talking")
    expect(page.window.locator("#call-note")).to_be_empty()
    assert dialog.bye().status == 200
    page.is_idle()
    assert page.trouble == []
