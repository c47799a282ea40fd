"""The Live page follows the tables without a reload, and says so when it cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pbx.calls.models import Call
from pbx.directory.models import Person
from pbx.enginelink.models import EngineStatus
from tests.webui import office
from tests.webui.conftest import Server, Trouble

SOON = 2000  # milliseconds; below the 5 s after which the page would read by itself


@pytest.fixture
def broken_server(
    server: Server, static_root: Path, tmp_path: Path, valkey: str
) -> Iterator[Server]:
    """A second server whose message broker does not answer."""
    running = Server("unix:///nowhere/valkey.sock", static_root, tmp_path / "log")
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(), running.log.read_text()


def open_live(visit: Callable[..., Page], person: Person) -> Page:
    window = visit(person)
    window.goto("/")
    window.wait_for_selector("#connection[data-state=live]")
    # A reload would forget this.
    window.evaluate("window.sameDocument = true")
    return window


def test_a_call_rings_talks_and_ends_before_ones_eyes(
    visit: Callable[..., Page], server: Server, trouble: Trouble, bob: Person
) -> None:
    office.heartbeat()
    office.people()
    window = open_live(visit, bob)
    expect(window.get_by_text("No calls at the moment")).to_be_visible()

    call = office.call("214", "207", ringing=0.0)
    server.tell(calls=[str(call.pk)], aors=[])
    row = window.locator(f"#call-{call.pk}")
    expect(row).to_contain_text("Ringing", timeout=SOON)
    expect(row).to_contain_text("Mira Okafor")
    expect(row).to_contain_text("Jonas Weber")
    expect(window.locator("#announce")).to_have_text("Mira Okafor calls Jonas Weber")
    expect(window.locator("#calls-now")).to_have_text("1")

    Call.objects.filter(pk=call.pk).update(state="talking", answered=call.started)
    server.tell(calls=[str(call.pk)], aors=[])
    expect(row).to_contain_text("Talking", timeout=SOON)

    Call.objects.filter(pk=call.pk).update(
        state="ended", ended=call.started + office.seconds(5), result="answered"
    )
    server.tell()
    expect(window.get_by_text("No calls at the moment")).to_be_visible(timeout=SOON)
    expect(window.locator("#answered-today")).to_have_text("1")
    assert window.evaluate("window.sameDocument") is True
    assert trouble.seen == []


def test_a_phone_appears_when_it_registers(
    visit: Callable[..., Page], server: Server, bob: Person
) -> None:
    office.heartbeat()
    window = open_live(visit, bob)
    expect(window.get_by_text("There are no extensions yet")).to_be_visible()
    office.people()
    window.reload()
    expect(window.get_by_text("No phone is registered")).to_be_visible()
    office.register("214", "Yealink T54W", "tcp")
    server.tell(calls=[], aors=["214@pbx.example"])
    phones = window.locator("#live-phones")
    expect(phones.get_by_text("Yealink T54W")).to_be_visible(timeout=SOON)
    expect(phones.get_by_text("TCP 10.20.4.214:5060")).to_be_visible()
    expect(phones.get_by_text("1 of 9 online")).to_be_visible()


def test_durations_tick_and_the_keyboards_focus_survives_an_update(
    visit: Callable[..., Page], server: Server, bob: Person
) -> None:
    office.heartbeat()
    call = office.call("214", "207", started=75.0, answered=70.0)
    window = open_live(visit, bob)
    link = window.locator(f"#call-{call.pk} a")
    link.focus()
    duration = window.locator(f"#call-{call.pk} time")
    first = duration.text_content()
    expect(duration).not_to_have_text(first or "")
    # A new row above would move a page that replaced its rows.
    office.call("218", "207", started=300.0, answered=299.0)
    server.tell()
    expect(window.locator("#calls-now")).to_have_text("2", timeout=SOON)
    assert window.evaluate("document.activeElement.closest('tr')?.id") == f"call-{call.pk}"


def test_without_the_socket_the_page_polls_and_says_that_it_connects(
    visit: Callable[..., Page], bob: Person
) -> None:
    office.heartbeat()
    window = visit(bob)
    window.route_web_socket("**/ws/live/", lambda ws: ws.close(code=1013))
    window.goto("/")
    expect(window.locator("#connection")).to_contain_text("Connecting")
    call = office.call("214", "207")
    expect(window.locator(f"#call-{call.pk}")).to_be_visible(timeout=8000)
    expect(window.locator("#announce")).to_contain_text("Connection lost", timeout=8000)


def test_when_the_server_fails_the_old_rows_stay_with_a_banner_and_a_retry(
    visit: Callable[..., Page], server: Server, bob: Person
) -> None:
    office.heartbeat()
    call = office.call("214", "207", started=75.0, answered=70.0)
    window = open_live(visit, bob)
    window.route("**/live/now/", lambda route: route.fulfill(status=503, body="<h1>Broken</h1>"))
    server.tell()
    banner = window.locator("#live-error")
    expect(banner).to_be_visible(timeout=SOON)
    expect(window.locator("#connection")).to_contain_text("No answer from the server")
    expect(window.locator(f"#call-{call.pk}")).to_be_visible()
    assert "Broken" not in (window.locator("body").text_content() or "")
    window.unroute("**/live/now/")
    banner.get_by_role("button", name="Try now").click()
    expect(banner).to_be_hidden(timeout=SOON)


def test_a_session_that_ended_leads_to_the_log_in(
    visit: Callable[..., Page], server: Server, bob: Person
) -> None:
    office.heartbeat()
    window = open_live(visit, bob)
    window.context.clear_cookies()
    server.tell()
    expect(window).to_have_title("Log in · Branchline")


def test_an_engine_that_went_silent_is_told_in_words(
    visit: Callable[..., Page], server: Server, bob: Person
) -> None:
    status = office.heartbeat(age=40)
    window = open_live(visit, bob)
    banner = window.locator("#engine-trouble")
    expect(banner).to_contain_text(re.compile(r"has not reported for 4\d seconds"))
    office.heartbeat(age=1)
    server.tell()
    expect(banner).to_have_count(0, timeout=SOON)
    EngineStatus.objects.filter(pk=status.pk).delete()
    server.tell()
    expect(banner).to_contain_text("has not reported yet", timeout=SOON)


def test_names_from_outside_are_shown_as_text(
    visit: Callable[..., Page], trouble: Trouble, bob: Person
) -> None:
    office.heartbeat()
    office.call("evil@elsewhere.example", "207", caller_name="<img src=x onerror=alert(1)>")
    window = open_live(visit, bob)
    expect(window.get_by_text("<img src=x onerror=alert(1)>").first).to_be_visible()
    assert trouble.seen == []


def test_without_the_message_broker_the_page_still_follows(
    visit: Callable[..., Page],
    broken_server: Server,
    trouble: Trouble,
    bob: Person,
) -> None:
    office.heartbeat()
    window = visit(bob, server=broken_server)
    window.goto("/")
    call = office.call("214", "207")
    expect(window.locator(f"#call-{call.pk}")).to_be_visible(timeout=8000)
    expect(window.locator("#connection")).to_contain_text("Connecting")
    assert all("WebSocket" in line for line in trouble.seen)
