"""Lifting bans: by action, by command, and what the lists say."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from pbx.configfile import command
from pbx.guard.actions import lift
from pbx.guard.listing import going_on, of_address, over
from pbx.guard.models import Pardon
from tests.pbx.guard.rows import ban


@pytest.fixture(autouse=True)
def database_is_there(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def running() -> Iterator[None]:
        yield

    monkeypatch.setattr(command, "running", running)


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_a_ban_is_lifted_once_with_the_name_of_who_did_it() -> None:
    one = ban("203.0.113.7")
    assert lift(one, "alice")
    assert lift(one, "bob")
    assert [(p.ban, p.by) for p in Pardon.objects.all()] == [(one, "alice")]


def test_a_ban_that_is_over_is_not_lifted() -> None:
    assert not lift(ban("203.0.113.7", age=400), "alice")
    assert not lift(ban("203.0.113.8", lifted_at=timezone.now()), "alice")
    assert not Pardon.objects.exists()


def test_lists_tell_what_goes_on_from_what_is_over() -> None:
    now = timezone.now()
    new, old = ban("203.0.113.7"), ban("203.0.113.8", age=100)
    ended, lifted = ban("203.0.113.9", age=400), ban("203.0.113.10", age=10, lifted_at=now)
    assert list(going_on(now)) == [new, old]
    assert list(over(now)) == [lifted, ended]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.0/24", "203.0.113.7"),
        ("203.0.113.8", ""),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::77", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::77", ""),
    ],
)
def test_a_ban_is_found_by_address_or_network(text: str, found: str) -> None:
    ban("203.0.113.7")
    ban("2001:db8:1:2::/64")
    assert [one.source for one in of_address(text, timezone.now())] == [found][: bool(found)]


def test_bans_as_a_table_and_as_json() -> None:
    ban("203.0.113.7")
    ban("203.0.113.9", age=400)
    ban("203.0.113.10", lifted_at=timezone.now(), lifted_by="alice")
    status, text, _ = run("bans")
    assert status == 0
    assert [line.split()[0] for line in text.splitlines()] == ["ADDRESS", "203.0.113.7"]
    assert "37 wrong passwords for 1001, 1002 in 5 minutes" in text
    assert "lifted by alice" in run("bans", "--all")[1]
    (entry,) = json.loads(run("bans", "--json")[1])
    assert (entry["address"], entry["kind"], entry["lifted_at"]) == (
        "203.0.113.7",
        "passwords",
        None,
    )
    assert json.loads(run("bans", "--json", "--all")[1])[2]["address"] == "203.0.113.9"


def test_unban_orders_it_and_says_so() -> None:
    one = ban("203.0.113.7")
    assert run("unban", "203.0.113.7")[:2] == (0, "203.0.113.7 is let in again.\n")
    (pardon,) = one.pardons.all()
    assert pardon.by.endswith("(command line)")


@pytest.mark.parametrize(
    ("text", "words"), [("203.0.113.8", "is not banned"), ("eve", "is no address")]
)
def test_unban_of_nothing_says_why(text: str, words: str) -> None:
    status, _, trouble = run("unban", text)
    assert status == 1
    assert words in trouble


def test_the_admin_shows_bans_and_changes_nothing(as_alice: Client, as_charlie: Client) -> None:
    one = ban("203.0.113.7")
    listing = reverse("admin:guard_ban_changelist")
    assert b"203.0.113.7" in as_alice.get(listing).content
    page = reverse("admin:guard_ban_change", args=[one.pk])
    assert as_alice.post(page, {"source": "1.1.1.1"}).status_code == 403
    assert as_charlie.get(listing).status_code == 302
