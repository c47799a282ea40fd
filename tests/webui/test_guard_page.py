"""The page Guard in a real browser: who is shut out, why, and letting one in again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from pbx.directory.models import Extension, Person
from pbx.guard.models import Ban, Pardon
from tests.pbx.guard.rows import ban
from tests.webui import office
from tests.webui.conftest import Server, Trouble, session_of

SOON = 3000


def test_nobody_is_shut_out(visit: Callable[..., Page], trouble: Trouble, bob: Person) -> None:
    office.heartbeat()
    window = visit(bob)
    window.goto("/guard/")
    expect(window.get_by_text("Nobody is shut out.")).to_be_visible()
    expect(window.get_by_text("No address was banned so far.")).to_be_visible()
    assert trouble.seen == []


def test_a_ban_appears_and_is_lifted_and_the_record_says_by_whom(
    visit: Callable[..., Page], server: Server, trouble: Trouble, bob: Person
) -> None:
    office.heartbeat()
    window = visit(bob)
    window.goto("/guard/")
    expect(window.locator("#connection")).to_have_attribute("data-state", "live")
    one = ban("203.0.113.66")
    server.tell(calls=[], aors=[])
    row = window.locator(f"#ban-{one.pk}")
    expect(row).to_contain_text("37 wrong passwords for 1001, 1002 in 5 minutes", timeout=SOON)
    row.get_by_role("button", name="Let 203.0.113.66 in again").click()
    expect(window.get_by_text("203.0.113.66 is being let in.")).to_be_visible()
    expect(row).to_contain_text("Being let in")
    pardon = Pardon.objects.get()
    assert (pardon.ban_id, pardon.by) == (one.pk, "bob")
    # The engine follows, and says so.
    Ban.objects.filter(pk=one.pk).update(lifted_at=timezone.now(), lifted_by="bob", revision=2)
    server.tell(calls=[], aors=[])
    expect(window.locator("#earlier")).to_contain_text("let in by bob", timeout=SOON)
    expect(row).to_have_count(0)
    assert trouble.seen == []


def test_reasons_from_outside_are_shown_as_text(
    visit: Callable[..., Page], trouble: Trouble, bob: Person
) -> None:
    office.heartbeat()
    ban("203.0.113.66", reason="20 wrong passwords for <img src=x onerror=alert(1)> in 5 minutes")
    window = visit(bob)
    window.goto("/guard/")
    expect(window.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    assert trouble.seen == []


def test_a_guard_that_is_off_is_told(visit: Callable[..., Page], bob: Person) -> None:
    status = office.heartbeat()
    status.counters = {"calls": 1}
    status.save()
    window = visit(bob)
    window.goto("/guard/")
    expect(window.locator("#guard-off")).to_contain_text("PBX_GUARD=off")


def test_when_the_server_fails_the_list_stays(
    visit: Callable[..., Page], server: Server, bob: Person
) -> None:
    office.heartbeat()
    one = ban("203.0.113.66")
    window = visit(bob)
    window.goto("/guard/")
    expect(window.locator("#connection")).to_have_attribute("data-state", "live")
    window.route("**/guard/now/", lambda route: route.fulfill(status=503, body="<h1>Broken</h1>"))
    server.tell()
    expect(window.locator("#live-error")).to_be_visible(timeout=SOON)
    expect(window.locator(f"#ban-{one.pk}")).to_be_visible()


def test_phones_that_cannot_log_in_are_listed_with_what_is_wrong(
    visit: Callable[..., Page], trouble: Trouble, bob: Person
) -> None:
    status = office.heartbeat()
    known, off = office.people()[:2]
    Extension.objects.filter(pk=off.pk).update(enabled=False)
    at = status.heartbeat_at.timestamp() - 20
    status.refused = [
        {
            "account": f"{number}@{office.DOMAIN}", "source": "192.168.1.71", "count": 37,
            "device": "<b>Desk</b> 7.1", "first": at - 900, "last": at,
        }
        for number in (known.number, off.number, "4899")
    ]  # fmt: skip
    status.save()
    window = visit(bob)
    window.goto("/guard/")
    rows = window.locator("#refused tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text(known.name)
    for at_row, why in enumerate(
        ("Wrong password", "The extension is switched off", "There is no such extension")
    ):
        expect(rows.nth(at_row)).to_contain_text(why)
    expect(rows.nth(0)).to_contain_text("<b>Desk</b> 7.1")
    expect(rows.nth(0)).to_contain_text("37")
    window.goto(f"/extensions/?q={known.number}")
    expect(window.get_by_text("Wrong password", exact=True)).to_be_visible()
    assert trouble.seen == []


# ---------------------------------------------------------------------- who may


@pytest.mark.usefixtures("plain_static")
def test_only_a_post_with_its_token_by_one_who_may_lifts(
    alice: Person, bob: Person, charlie: Person
) -> None:
    one = ban("203.0.113.66")
    path = reverse("lift-ban", args=[one.pk])
    assert Client().post(path).status_code == 302
    for person, status in ((charlie, 403), (bob, 302)):
        client = Client()
        client.cookies["sessionid"] = session_of(person)
        assert client.get(path).status_code == 405
        before = Pardon.objects.count()
        assert client.post(path).status_code == status
        assert Pardon.objects.count() == before + (status == 302)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies["sessionid"] = session_of(alice)
    assert strict.post(path).status_code == 403


@pytest.mark.usefixtures("plain_static")
def test_an_operator_without_the_right_sees_bans_and_no_button(bob: Person) -> None:
    bob.groups.get().permissions.filter(codename="lift_ban").delete()
    one = ban("203.0.113.66")
    client = Client()
    client.cookies["sessionid"] = session_of(bob)
    page = client.get("/guard/").content.decode()
    assert "203.0.113.66" in page
    assert reverse("lift-ban", args=[one.pk]) not in page
    assert client.post(reverse("lift-ban", args=[one.pk])).status_code == 403


@pytest.mark.usefixtures("plain_static")
def test_a_ban_that_is_not_there_is_404_and_one_that_is_over_says_so(bob: Person) -> None:
    client = Client()
    client.cookies["sessionid"] = session_of(bob)
    path = "/guard/00000000-0000-0000-0000-000000000001/lift/"
    assert client.post(path).status_code == 404
    one = ban("203.0.113.66", age=400)
    answer = client.post(reverse("lift-ban", args=[one.pk]), follow=True)
    assert "203.0.113.66 was not shut out any more." in answer.content.decode()
