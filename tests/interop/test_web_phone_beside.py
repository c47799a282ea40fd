"""What surrounds the calls of the page My phone, with the whole product behind it: the echo test,
the check of everything, another microphone in a call, and what a log-out ends."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from tests.interop.conftest import Phones
from tests.services.phones import credentials
from tests.support.cast import extension
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.wait import until
from tests.support.web_people import WebPeople
from tests.support.wire_phone import WirePhone

CONFIGURATION = {"extensions": [extension(f"421{digit}") for digit in range(1, 6)]}
TONE = {"4211": 440.0, "4212": 660.0}


def test_the_echo_test_gives_back_what_one_says(web: WebPeople) -> None:
    page = web.open("4211")
    page.window.get_by_text("Sound", exact=True).click()
    expect(page.window.locator("#level-words")).to_have_text("You can be heard.")
    page.press("Echo test")
    page.says("Talking")
    page.hears(TONE["4211"])
    page.press("Hang up")
    page.is_idle()
    assert page.trouble == []


def test_a_colleague_is_called_by_a_click_and_seen_on_the_call(
    web: WebPeople, phones: Phones
) -> None:
    page, desk = web.open("4211"), phones.baresip("4213", tone=880)
    colleague = page.window.locator("#people li", has_text="4213")
    page.window.get_by_label("Number or name").fill("4213")
    option = page.window.get_by_role("option")
    expect(option).to_contain_text("Free")
    page.window.get_by_label("Number or name").fill("")
    if colleague.count():
        colleague.get_by_role("button").click()
    else:
        page.dial("4213")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    page.says("Talking")
    expect(colleague).to_contain_text("On a call", timeout=15_000)
    page.press("Hang up")
    page.is_idle()
    expect(colleague).to_contain_text("Free", timeout=15_000)


def test_a_microphone_chosen_in_a_call_is_heard_by_the_other_side(web: WebPeople) -> None:
    """Chromium's second made-up microphone plays the same file; what counts is that it is another
    track, and that the call goes on."""
    alice, bob = web.open("4211"), web.open("4212")
    alice.dial("4212")
    bob.press("Answer")
    alice.says("Talking")
    bob.hears(TONE["4211"])
    alice.window.get_by_text("Sound", exact=True).click()
    choice = alice.window.get_by_label("Microphone")
    expect(choice.locator("option").nth(2)).to_be_attached()
    choice.select_option(index=2)
    bob.hears(TONE["4211"])
    alice.says("Talking")
    alice.window.get_by_text("Sound", exact=True).click()
    bob.hears(TONE["4211"])
    alice.press("Mute")
    bob.hears(0.0, within=1.0)
    alice.press("Hang up")
    bob.is_idle()
    assert alice.trouble == bob.trouble == []


def test_the_check_finds_everything_there_and_the_way_for_the_sound_by_ice(web: WebPeople) -> None:
    page = web.open("4211")
    page.window.get_by_text("Sound", exact=True).click()
    page.window.get_by_role("link", name="Check everything").click()
    expect(page.window.locator("#verdict")).to_have_text(
        "Everything is there. Calls from this browser work.", timeout=15_000
    )
    expect(page.window.locator("#check-sound .found-out")).to_contain_text("It is open")
    assert page.trouble == []


@pytest.mark.parametrize("what", ["port", "password"])
def test_the_check_tells_when_no_sound_gets_through(web: WebPeople, what: str) -> None:
    page = web.open("4212")

    def altered(route: Route) -> None:
        answer = route.fetch()
        given: dict[str, Any] = answer.json()
        given |= {"port": 9} if what == "port" else {"password": "0" * 32}
        route.fulfill(response=answer, json=given)

    page.window.route("**/phone/path/", altered)
    page.window.goto("/phone/check/")
    row = page.window.locator("#check-sound")
    expect(row).to_have_attribute("data-state", "bad", timeout=15_000)
    expect(row.locator(".mend")).to_contain_text("must let UDP through")
    expect(page.window.locator("#verdict")).to_have_text("One thing is missing.", timeout=15_000)


def test_a_browser_without_webrtc_is_told_so_and_does_not_register(web: WebPeople) -> None:
    page = web.open("4212")
    page.window.add_init_script("delete window.RTCPeerConnection")
    page.window.goto("/phone/check/")
    row = page.window.locator("#check-sound")
    expect(row.locator(".mend")).to_contain_text("Allow WebRTC for this page", timeout=15_000)
    expect(page.window.locator("#verdict")).to_have_text("One thing is missing.", timeout=15_000)
    sockets: list[str] = []
    page.window.on("websocket", lambda socket: sockets.append(urlsplit(socket.url).path))
    page.window.goto("/phone/")
    expect(page.window.get_by_text("No calls from this browser")).to_be_visible()
    expect(page.window.get_by_text("or use another browser")).to_be_visible()
    expect(page.window.get_by_label("Number or name")).to_be_hidden()
    assert "/sip" not in sockets
    assert page.trouble == []


def test_the_log_out_ends_the_credential_and_whatever_registered_with_it(
    pbx: PbxProcess, web: WebPeople
) -> None:
    before = contacts(pbx)  # of windows that were closed without a word
    page = web.open("4212")
    assert pbx.ready is not None
    stolen = page.window.evaluate(
        """async () => {
            const token = document.querySelector("input[name=csrfmiddlewaretoken]").value;
            const address = document.getElementById("phone").dataset.credential;
            const answer = await fetch(address, {method: "POST", headers: {"X-CSRFToken": token}});
            return answer.json();
        }"""
    )
    with WirePhone("4212", "", server=pbx.sip, domain=DOMAIN) as thief:

        def register() -> int:
            challenge = thief.send_register("", 300)
            line = next(each for each in challenge.all("WWW-Authenticate") if "MD5" in each)
            lines = credentials(
                f"WWW-Authenticate: {line}", username=stolen["username"], ha1=stolen["ha1"],
                uri=f"sip:{DOMAIN}",
            )  # fmt: skip
            return thief.send_register("", 300, f"{lines}\n").status

        assert register() == 200
        made = contacts(pbx) - before
        assert len(made) == 2
        page.window.get_by_role("button", name="Log out").first.click()
        expect(page.window.get_by_role("button", name="Log in")).to_be_visible()
        until(
            lambda: not made & contacts(pbx),
            "every registration of the page's credential to end",
            deadline=10,
            pause=0.3,
        )
        assert register() == 401


def contacts(pbx: PbxProcess) -> set[str]:
    return {row["contact"] for row in pbx.bindings() if row["aor"].startswith("4212@")}


def test_who_is_logged_out_in_a_call_goes_on_talking_and_logs_in_after_it(
    pbx: PbxProcess, web: WebPeople, phones: Phones
) -> None:
    page, desk = web.open("4212"), phones.baresip("4214", tone=880)
    page.window.clock.install()
    page.window.reload()
    page.is_ready()
    page.dial("4214")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    page.says("Talking")
    end = "from django.contrib.sessions.models import Session; Session.objects.all().delete()"
    pbx.run("shell", "-c", end)
    page.window.clock.fast_forward(365_000)  # the page asks for its next credential
    expect(page.window.locator("#phone-trouble")).to_contain_text("This call goes on")
    expect(page.window.get_by_text("Logged out", exact=True)).to_be_visible()
    page.hears(880)
    page.press("Hang up")
    expect(page.window.get_by_role("button", name="Log in")).to_be_visible()
