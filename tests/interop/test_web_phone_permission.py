"""The page My phone loses the right to be a phone, or only has to ask for it again."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.interop.conftest import Phones
from tests.support.baresip import Baresip
from tests.support.cast import extension
from tests.support.my_phone import PASSWORD, MyPhone
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.wait import until
from tests.support.web_people import WebPeople

CONFIGURATION = {"extensions": [extension(f"437{digit}") for digit in range(1, 6)]}
TONE = {"4371": 440.0, "4372": 660.0, "4373": 770.0}


def contacts(pbx: PbxProcess, number: str) -> set[str]:
    return {row["contact"] for row in pbx.bindings() if row["aor"].startswith(f"{number}@")}


def talking(page: MyPhone, phones: Phones) -> Baresip:
    desk = phones.baresip("4375", tone=880)
    page.dial("4375")
    desk.wait_for("CALL_INCOMING")
    desk.accept()
    page.hears(880)
    return desk


def test_a_log_out_in_another_tab_ends_the_call_and_leads_to_the_log_in(
    pbx: PbxProcess, web: WebPeople, phones: Phones
) -> None:
    page = web.open("4371")
    desk = talking(page, phones)
    other = page.tab()
    other.window.get_by_role("button", name="Log out").first.click()
    expect(other.window.get_by_role("button", name="Log in")).to_be_visible()
    desk.wait_for("CALL_CLOSED")
    expect(page.window.get_by_role("button", name="Log in")).to_be_visible()
    until(lambda: not contacts(pbx, "4371"), "the registration to end", deadline=10, pause=0.3)
    assert not [told for told in page.trouble if told.startswith("script:")]


PASSWORD_CHANGED = """
from pbx.directory.models import Person
person = Person.objects.get(username="person4372")
person.set_password("given by an administrator")
person.save()
"""


@pytest.mark.parametrize("in_a_call", [True, False], ids=["in-a-call", "idle"])
def test_another_password_by_the_administrator_is_told_soon(
    pbx: PbxProcess, web: WebPeople, phones: Phones, people: None, in_a_call: bool
) -> None:
    """It ends every log-in of the person's: nobody believes to be reachable who is not."""
    page = web.open("4372")
    desk = talking(page, phones) if in_a_call else None
    try:
        pbx.run("shell", "-c", PASSWORD_CHANGED)
        if desk is not None:
            expect(page.window.locator("#phone-trouble")).to_contain_text(
                "You are logged out. This call goes on", timeout=40_000
            )
            expect(page.window.get_by_text("Logged out", exact=True)).to_be_visible()
            page.hears(880)
            page.press("Hang up")
            desk.wait_for("CALL_CLOSED")
        expect(page.window.get_by_role("button", name="Log in")).to_be_visible(timeout=40_000)
    finally:
        pbx.run("shell", "-c", PASSWORD_CHANGED.replace("given by an administrator", PASSWORD))


@pytest.mark.parametrize("in_a_call", [True, False], ids=["in-a-call", "idle"])
def test_an_extension_that_is_switched_off_is_told_soon(
    pbx: PbxProcess, web: WebPeople, phones: Phones, in_a_call: bool
) -> None:
    page = web.open("4373")
    desk = talking(page, phones) if in_a_call else None
    switched(pbx, on=False)
    try:
        if desk is not None:
            expect(page.window.locator("#phone-trouble")).to_contain_text(
                "Your extension was switched off or given to somebody else. This call goes on.",
                timeout=40_000,
            )
            expect(page.window.get_by_text("No extension", exact=True)).to_be_visible()
            page.hears(880)
            desk.hang_up()
        expect(page.window.get_by_role("heading", name="extension")).to_be_visible(timeout=40_000)
    finally:
        switched(pbx, on=True)


def switched(pbx: PbxProcess, *, on: bool) -> None:
    pbx.run(
        "shell", "-c",
        "from pbx.directory.models import Extension;"
        f"Extension.objects.filter(number='4373').update(enabled={on})",
    )  # fmt: skip


def test_a_page_stays_reachable_for_hours(pbx: PbxProcess, web: WebPeople, phones: Phones) -> None:
    """Its clock runs through fourteen minutes: past the end of the first credential, and a call goes on
    throughout."""
    page = web.open("4371")
    names: list[str] = []

    def told(route: Route) -> None:
        answer = route.fetch()
        names.append(answer.json()["username"])
        route.fulfill(response=answer)

    page.window.route("**/phone/credential/", told)
    page.window.clock.install()
    page.window.reload()
    page.is_ready()
    desk = talking(page, phones)
    before = registered(pbx)
    for _ in range(14):
        for _ in range(60):  # the server's time is the true one: leave it some to answer pings
            page.window.clock.run_for(1000)
            page.window.evaluate("fetch('/phone/people/?q=')")
        page.hears(880)
    until(lambda: len(names) >= 3, "further credentials", deadline=10)
    until(lambda: registered(pbx) > before, "further registrations", deadline=10)
    page.press("Hold")
    page.says("On hold")
    page.press("Hold")
    page.says("Talking")
    page.hears(880)
    page.press("Hang up")
    desk.wait_for("CALL_CLOSED")
    desk.dial("4371")
    page.press("Answer")
    page.hears(880)
    desk.hang_up()
    page.is_idle()
    assert page.trouble == []


def registered(pbx: PbxProcess) -> str:
    """When the page's latest registration ends."""
    return max(row["expires_at"] for row in pbx.bindings() if row["aor"].startswith("4371@"))


EXPIRED = """
from django.conf import settings
from sipengine.page_credentials import LIFE_S, issue, page_key
import json, time
from pbx.pagephones.models import Page
mark = Page.objects.filter(aor__startswith="4371@", ended_at=None).latest("holds_until").mark
given = issue("4371", {domain!r}, mark, page_key(settings.SECRET_KEY), time.time() - LIFE_S - 60)
print(json.dumps([given.username, given.ha1]))
"""


def test_a_page_that_slept_past_its_credential_gets_another_one_by_itself(
    pbx: PbxProcess, web: WebPeople, phones: Phones
) -> None:
    page = web.open("4371")
    late = json.loads(pbx.run("shell", "-c", EXPIRED.format(domain=DOMAIN)).splitlines()[-1])
    asked: list[float] = []

    def answered(route: Route) -> None:
        asked.append(time.monotonic())
        answer = route.fetch()
        given: dict[str, Any] = answer.json()
        if len(asked) == 1:
            given |= {"username": late[0], "ha1": late[1], "seconds": 0}
        route.fulfill(response=answer, json=given)

    page.window.route("**/phone/credential/", answered)
    page.window.reload()
    page.is_ready()
    assert len(asked) > 1
    desk = phones.baresip("4375", tone=880)
    desk.dial("4371")
    page.press("Answer")
    page.hears(880)
    desk.hang_up()
    page.is_idle()


def test_a_new_log_in_in_another_tab_leaves_the_phone_in_peace(
    web: WebPeople, phones: Phones
) -> None:
    """The token against forged requests is another one then, and the page takes that."""
    page = web.open("4371")
    page.window.clock.install()
    page.window.reload()
    page.is_ready()
    desk = talking(page, phones)
    log_in_again(page, web)
    with page.window.expect_response(
        lambda answer: answer.url.endswith("/phone/credential/") and answer.status == 200
    ):
        page.window.clock.fast_forward(365_000)  # the page asks for its next credential
    page.says("Talking")
    expect(page.window.get_by_role("alert")).to_be_hidden()
    page.press("Hang up")
    desk.wait_for("CALL_CLOSED")
    page.is_ready()


def log_in_again(page: MyPhone, web: WebPeople) -> None:
    """As in another tab, but both cookies come at once: in between, the page could learn that it is logged
    out."""
    elsewhere = web.browser.new_context(base_url=page.window.url)
    other = elsewhere.new_page()
    other.goto("/login/?next=/phone/check/")
    other.get_by_label("User name").fill("person4371")
    other.get_by_label("Password").fill(PASSWORD)
    other.get_by_role("button", name="Log in").click()
    expect(other.get_by_role("heading", name="Check my phone")).to_be_visible()
    page.window.context.add_cookies(elsewhere.cookies())  # type: ignore[arg-type]
    elsewhere.close()


def test_who_logs_in_again_while_a_call_goes_on_is_reachable_again(
    web: WebPeople, phones: Phones
) -> None:
    page = web.open("4371")
    desk = talking(page, phones)
    page.window.context.clear_cookies(name="sessionid")
    page.window.evaluate("window.dispatchEvent(new Event('branchline-refused'))")
    expect(page.window.get_by_text("Logged out", exact=True)).to_be_visible()
    expect(page.window.locator("#phone-trouble")).to_contain_text("You are logged out.")
    log_in_again(page, web)
    page.window.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.is_ready()
    expect(page.window.locator("#phone-trouble")).to_be_hidden()
    page.hears(880)
    page.press("Hang up")
    desk.wait_for("CALL_CLOSED")
    desk.dial("4371")
    page.press("Answer")
    page.hears(880)
    desk.hang_up()
    page.is_idle()
