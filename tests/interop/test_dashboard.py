"""What an administrator sees in a real browser while real phones call: no reload, no other host."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import ADMIN_PASSWORD, DOMAIN, PbxProcess
from tests.support.wait import until

CONFIGURATION = {"extensions": [extension("1151"), extension("1152")]}

SEEN_MS = 5000
"""From a change of the call to its sight on the page: journal, table, message, page."""


@pytest.fixture
def page(pbx: PbxProcess, browser: Browser) -> Iterator[Page]:
    """A browser window of an administrator who has just logged in by the form."""
    assert pbx.ready is not None
    with browser.new_context(base_url=pbx.ready.http) as context:
        window = context.new_page()
        window.set_default_timeout(10_000)
        window.goto("/")
        window.get_by_label("User name").fill("admin")
        window.get_by_label("Password").fill(ADMIN_PASSWORD)
        window.get_by_role("button", name="Log in").click()
        expect(window.get_by_role("heading", name="Live", exact=True)).to_be_visible()
        yield window


def test_call_is_seen_ringing_then_talking_then_ended(
    pbx: PbxProcess, phones: Phones, page: Page
) -> None:
    alice, bob = phones.baresip("1151", tone=440), phones.baresip("1152", tone=660)
    page.goto("/")
    loaded = page.evaluate("performance.timeOrigin")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    row = page.locator("#live-calls tbody tr", has_text="1151")

    alice.dial("1152")
    call_id = bob.wait_for("CALL_INCOMING")["id"]
    expect(row).to_have_count(1, timeout=SEEN_MS)
    expect(row).to_contain_text("Ringing")
    expect(row).to_contain_text("1152")
    bob.accept()
    alice.wait_for("CALL_ESTABLISHED")
    expect(row).to_contain_text("Talking", timeout=SEEN_MS)
    alice.hang_up()
    bob.wait_for("CALL_CLOSED")
    expect(row).to_have_count(0, timeout=SEEN_MS)
    assert page.evaluate("performance.timeOrigin") == loaded, "the page was not loaded anew"

    call = pbx.row_of(call_id)
    page.goto("/calls/")
    logged = page.locator("#call-list tbody tr").first
    expect(logged).to_contain_text("1151")
    expect(logged).to_contain_text("Answered")
    page.goto(f"/calls/{call['id']}/")
    expect(page.locator("article")).to_contain_text(call["reason"])


def test_extension_made_in_the_admin_can_register_and_is_called(
    pbx: PbxProcess, phones: Phones, page: Page
) -> None:
    page.goto("/admin/directory/extension/add/")
    page.get_by_label("Number:").fill("1159")
    page.get_by_label("Domain:").select_option(label=DOMAIN)
    page.get_by_label("New password:").fill("made-by-hand-7")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("1159")

    made = phones.wire("1159", register=False)
    until(
        lambda: made.register(password="made-by-hand-7").status == 200,
        "the new extension to register",
        deadline=1.0,
    )
    made.password = "made-by-hand-7"
    call = phones.wire("1151").call("1159")
    made.incoming().reject(486, "Busy Here")
    call.fails(486)
    page.goto("/phones/")
    expect(page.locator("main")).to_contain_text("1159")
