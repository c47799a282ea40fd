"""Coming in: right and wrong passwords, lock-out, a one-time password."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from pbx.directory.models import Person
from tests.webui import office
from tests.webui.conftest import PASSWORD, Trouble


def log_in(window: Page, name: str, password: str) -> None:
    window.get_by_label("User name").fill(name)
    window.get_by_label("Password").fill(password)
    window.get_by_role("button", name="Log in").click()


def test_log_in_leads_to_where_one_wanted_to_go(
    visit: Callable[..., Page], trouble: Trouble, alice: Person
) -> None:
    office.heartbeat()
    window = visit()
    window.goto("/phones/?presence=offline")
    expect(window).to_have_title("Log in · Branchline")
    log_in(window, "alice", "not her password")
    expect(window.get_by_role("alert")).to_contain_text("User name or password is wrong")
    log_in(window, "alice", PASSWORD)
    expect(window.get_by_role("heading", name="Phones", level=1)).to_be_visible()
    assert window.url.endswith("/phones/?presence=offline")
    window.get_by_role("button", name="Log out").click()
    expect(window).to_have_title("Log in · Branchline")
    assert trouble.seen == []


def test_a_one_time_password_must_be_replaced_before_anything_else(
    visit: Callable[..., Page], trouble: Trouble, alice: Person
) -> None:
    office.heartbeat()
    Person.objects.filter(pk=alice.pk).update(must_change_password=True)
    window = visit()
    window.goto("/")
    log_in(window, "alice", PASSWORD)
    expect(window.get_by_role("heading", name="Choose your own password")).to_be_visible()
    window.goto("/calls/")
    expect(window.get_by_role("heading", name="Choose your own password")).to_be_visible()

    def choose(new: str) -> None:
        window.get_by_label("Password you logged in with").fill(PASSWORD)
        window.get_by_label("New password", exact=True).fill(new)
        window.get_by_label("New password again").fill(new)
        window.get_by_role("button", name="Save password").click()

    choose(PASSWORD)
    expect(window.get_by_text("This is the password you have now")).to_be_visible()
    choose("staple-battery-94")
    expect(window.get_by_role("heading", name="Live", level=1)).to_be_visible()
    alice.refresh_from_db()
    assert not alice.must_change_password
    assert alice.check_password("staple-battery-94")
    assert trouble.seen == []


@pytest.mark.usefixtures("plain_static")
def test_guessing_is_locked_out_with_a_clear_word_and_the_right_password_does_not_help(
    alice: Person,
) -> None:
    client = Client()
    for _ in range(settings.AXES_FAILURE_LIMIT):
        answer = client.post("/login/", {"username": "alice", "password": "wrong"})
    assert answer.status_code == 429
    said = answer.content.decode()
    assert "Too many wrong passwords" in said
    assert "Try again in 15 minutes" in said
    answer = client.post("/login/", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 429
    elsewhere = Client(REMOTE_ADDR="10.9.9.9")
    answer = elsewhere.post("/login/", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 302


def test_the_log_in_never_leads_to_another_site(alice: Person) -> None:
    sent = {"username": "alice", "password": PASSWORD, "next": "https://evil.example/"}
    assert Client().post("/login/", sent)["Location"] == "/"
