"""What stands beside the telephone: people whose presence is live, the sound's devices, the choice
of an extension; and the page that checks all that a call needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from pbx.calls.models import Call
from pbx.directory.models import Extension, Person
from pbx.registrations.models import Binding
from tests.support.chromium import whole_chromium
from tests.webui import office
from tests.webui.conftest import Server, Trouble, session_of

SOON = 6000  # milliseconds; well below the polling of 10 s
Open = Callable[..., Page]


@pytest.fixture
def mira(charlie: Person) -> Extension:
    office.heartbeat()
    office.people()
    Extension.objects.filter(number="214").update(person=charlie)
    return Extension.objects.get(number="214")


@pytest.fixture
def with_microphones(
    server: Server, browser: Browser, charlie: Person, trouble: Trouble
) -> Iterator[Open]:
    """A window of a whole Chromium: its microphones and speakers, which sound of nothing real, have names."""
    running = browser.browser_type.launch(
        executable_path=whole_chromium(),
        args=["--no-sandbox", "--use-fake-device-for-media-stream",
              "--autoplay-policy=no-user-gesture-required"],
    )  # fmt: skip

    def opened(path: str, *permissions: str) -> Page:
        context: BrowserContext = running.new_context(
            base_url=server.url, permissions=list(permissions)
        )
        context.add_cookies(
            [{"name": "sessionid", "value": session_of(charlie), "url": server.url}]
        )
        window = context.new_page()
        window.set_default_timeout(10_000)
        trouble.watch(window)
        window.goto(path)
        return window

    yield opened
    running.close()


def test_presence_and_history_change_before_ones_eyes(
    visit: Open, server: Server, charlie: Person, mira: Extension
) -> None:
    window = visit(charlie)
    window.goto("/phone/")
    lena = window.locator("#people li", has_text="Lena Hartmann")
    expect(lena).to_contain_text("Away")
    lena.get_by_role("button").focus()

    office.register("218", "a phone")
    server.tell(aors=[f"218@{office.DOMAIN}"], calls=[])
    expect(lena).to_contain_text("Free", timeout=SOON)
    expect(lena.get_by_role("button")).to_be_focused()

    window.get_by_label("Number or name").fill("hart")
    option = window.get_by_role("option", name="Lena Hartmann")
    expect(option).to_contain_text("Free")
    window.keyboard.press("ArrowDown")
    call = office.call("218", "214", started=30, answered=20)
    server.tell(calls=[str(call.pk)], aors=[])
    expect(option).to_contain_text("On a call", timeout=SOON)
    expect(option).to_have_attribute("aria-selected", "true")
    expect(lena).to_contain_text("On a call")

    Call.objects.filter(pk=call.pk).update(state="ended", ended=call.started, result="answered")
    Binding.objects.all().delete()
    server.tell(calls=[str(call.pk)], aors=[])
    expect(lena).to_contain_text("Away", timeout=SOON)
    expect(window.locator("#history li").first).to_contain_text("Lena Hartmann")


def test_microphone_and_speaker_are_chosen_heard_and_remembered(
    with_microphones: Open, mira: Extension, trouble: Trouble
) -> None:
    window = with_microphones("/phone/", "microphone")
    window.get_by_text("Sound", exact=True).click()
    expect(window.locator("#level-words")).to_have_text("You can be heard.")
    assert window.evaluate("document.getElementById('level').value") > 0
    microphone = window.get_by_label("Microphone")
    names = microphone.locator("option").all_inner_texts()
    assert names[0] == "The system’s choice"
    assert len(names) >= 3
    microphone.select_option(label=names[2])
    expect(window.locator("#level-words")).to_have_text("You can be heard.")
    window.get_by_label("Speaker").select_option(index=1)
    speaker = window.get_by_label("Speaker").input_value()
    assert speaker
    until_sink = "id => document.getElementById('voice').sinkId === id"
    window.wait_for_function(until_sink, arg=speaker)

    window.reload()
    window.wait_for_function(until_sink, arg=speaker)
    window.get_by_text("Sound", exact=True).click()
    expect(microphone.locator("option:checked")).to_have_text(names[2])
    window.get_by_role("button", name="Play a tone").click()
    assert [said for said in trouble.seen if "WebSocket" not in said] == []


def test_a_microphone_that_is_gone_gives_way_to_the_systems_own(
    with_microphones: Open, mira: Extension
) -> None:
    window = with_microphones("/phone/", "microphone")
    window.evaluate("localStorage.setItem('branchline-microphone', 'one that was unplugged')")
    window.get_by_text("Sound", exact=True).click()
    expect(window.locator("#level-words")).to_have_text("You can be heard.")
    chosen = window.get_by_label("Microphone").locator("option:checked")
    expect(chosen).to_have_text("One that is not plugged in")


def test_a_refused_microphone_is_told_in_words(with_microphones: Open, mira: Extension) -> None:
    window = with_microphones("/phone/")
    window.get_by_text("Sound", exact=True).click()
    expect(window.locator("#sound-trouble")).to_contain_text("may not use the microphone")


def test_a_lost_connection_is_explained_and_leads_to_the_check(
    with_microphones: Open, mira: Extension
) -> None:
    """Here no engine runs, so the line never comes about."""
    window = with_microphones("/phone/", "microphone")
    expect(window.get_by_text("No connection. Trying again …")).to_be_visible()
    explained = window.locator("#line-help")
    expect(explained).to_contain_text("calls do not reach this page now", timeout=15_000)
    explained.get_by_role("link", name="Check what is missing").click()
    expect(window.get_by_role("heading", name="Check my phone")).to_be_visible()


def test_another_extension_is_chosen_and_the_page_is_it_from_then_on(
    visit: Open, charlie: Person, mira: Extension
) -> None:
    Extension.objects.filter(number="231").update(person=charlie)
    window = visit(charlie)
    window.goto("/phone/")
    choice = window.get_by_label("This page is the extension")
    expect(choice.locator("option:checked")).to_have_text("214 · Mira Okafor")
    with window.expect_navigation():
        choice.select_option(label="231 · Tom Adeyemi")
    expect(choice.locator("option:checked")).to_have_text("231 · Tom Adeyemi")
    window.goto("/phone/")
    expect(choice.locator("option:checked")).to_have_text("231 · Tom Adeyemi")


def test_the_check_names_what_is_missing_and_how_to_mend_it(
    with_microphones: Open, mira: Extension
) -> None:
    """Here neither an engine nor a gateway runs, and the microphone is refused."""
    window = with_microphones("/phone/check/")
    states = {
        "secure": "ok",
        "extension": "ok",
        "microphone": "bad",
        "connection": "bad",
        "sound": "bad",
    }
    for name, state in states.items():
        expect(window.locator(f"#check-{name}")).to_have_attribute(
            "data-state", state, timeout=15_000
        )
    expect(window.locator("#verdict")).to_have_text("3 things are missing.", timeout=15_000)
    shown = window.locator("#check-microphone .mend")
    expect(shown).to_contain_text("Click the sign beside the address")
    expect(shown.get_by_text("Plug in a headset")).to_be_hidden()
    expect(window.locator("#check-sound .mend")).to_contain_text("A firewall between")
    expect(window.locator("#check-secure .mend")).to_be_hidden()


@pytest.mark.parametrize("path", ["/phone/", "/phone/check/", "/certificate/"])
def test_nothing_runs_sideways_on_a_small_screen(
    visit: Open, charlie: Person, mira: Extension, path: str
) -> None:
    window = visit(charlie, width=390, height=844)
    window.goto(path)
    if path == "/phone/":
        window.get_by_text("Sound", exact=True).click()
    sideways = window.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert sideways <= 0
