"""Phones, Extensions, Routing and System: what they say and how one searches them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from pbx.directory.models import Extension, Person
from tests.webui import office
from tests.webui.conftest import Trouble


@pytest.fixture
def client(alice: Person, plain_static: None) -> Client:
    made = Client()
    made.force_login(alice)
    return made


def numbers(client: Client, path: str) -> list[str]:
    return re.findall(r'(?:strong|row-link) num"[^>]*>(\d+)<', client.get(path).content.decode())


def test_phones_are_found_by_number_name_and_device_online_or_not(client: Client) -> None:
    office.people()
    office.register("214", "Yealink SIP-T54W")
    office.register("218", "Linphone", "tcp")
    gone = office.register("219", "snomD785")
    gone.expires_at -= office.seconds(7200)
    gone.save()
    assert len(numbers(client, "/phones/")) == 9
    assert numbers(client, "/phones/?q=mira") == ["214"]
    assert numbers(client, "/phones/?q=23") == ["231", "236"]
    assert numbers(client, "/phones/?q=yealink") == ["214"]
    assert numbers(client, "/phones/?presence=online") == ["214", "218"]
    assert "219" in numbers(client, "/phones/?presence=offline")  # its registration ran out
    assert "TCP 10.20.4.218:5060" in client.get("/phones/?q=lena").content.decode()


def test_a_phone_that_does_not_answer_is_shown_so(client: Client) -> None:
    office.people()
    now = office.seconds(0) + dt.datetime.now(dt.UTC)
    office.register("214", "Yealink SIP-T54W", unreachable_since=now)
    assert "Does not answer" in client.get("/phones/?q=214").content.decode()
    assert "Does not answer" in client.get("/").content.decode()
    office.register("214", "Linphone", contact="sip:214@192.0.2.9", received="192.0.2.9:5060")
    page = client.get("/phones/?q=214").content.decode()
    assert "Online" in page
    assert "Yealink SIP-T54W (does not answer)" in page


def test_extensions_say_what_keeps_a_phone_from_working(client: Client) -> None:
    office.people()
    Extension.objects.filter(number="207").update(enabled=False)
    Extension.objects.filter(number="214").update(
        forward_busy="218", forward_no_answer="219", forward_no_answer_after=15
    )
    Extension.objects.get(number="218").credential.delete()
    page = client.get("/extensions/").content.decode()
    assert "Switched off" in page
    assert "No password yet" in page
    assert "when busy to 218, after 15 s without answer to 219" in page
    assert "/admin/directory/extension/add/" in page


def test_an_operator_may_change_but_who_may_not_sees_no_link(
    bob: Person, plain_static: None
) -> None:
    office.people()
    client = Client()
    client.force_login(bob)
    assert "/admin/directory/extension/add/" in client.get("/extensions/").content.decode()
    Person.objects.filter(pk=bob.pk).update(is_staff=False)
    assert "/admin/" not in client.get("/extensions/").content.decode()


def test_many_extensions_come_in_pages(client: Client) -> None:
    domain = office.domain()
    Extension.objects.bulk_create(
        Extension(domain=domain, number=str(1000 + n)) for n in range(120)
    )
    seen, path = [], "/extensions/?q=1"
    while path:
        page = client.get(path).content.decode()
        seen += re.findall(r'row-link num"[^>]*>(\d+)<', page)
        found = re.search(r'href="(\?[^"]*)" aria-label="Next page"', page)
        path = "/extensions/" + found[1].replace("&amp;", "&") if found else ""
    assert seen == [str(1000 + n) for n in range(120)]


def test_rules_are_sentences_in_the_order_in_which_they_are_tried(client: Client) -> None:
    office.rules()
    page = client.get("/routing/").content.decode()
    said = [
        "Rings 207, 214, 219 all at once",
        "one after the other",
        "told to call",
        "Rejected with 480",
    ]
    assert sorted(page.index(sentence) for sentence in said) == [page.index(s) for s in said]
    assert "Numbers that begin with 19" in page
    assert "Night bell" not in client.get("/routing/?q=sales").content.decode()


@pytest.mark.parametrize(
    "path", ["/", "/calls/", "/phones/", "/extensions/", "/routing/", "/system/"]
)
def test_an_empty_system_says_in_a_sentence_what_to_do(client: Client, path: str) -> None:
    page = client.get(path).content.decode()
    assert '<div class="empty">' in page


def test_the_system_page_asks_the_parts_and_shows_what_they_say(
    visit: Callable[..., Page], trouble: Trouble, alice: Person
) -> None:
    office.heartbeat(age=60)
    window = visit(alice)
    window.goto("/system/")
    parts = window.locator("#parts")
    expect(parts.get_by_text("Postgres: configuration and call log")).to_be_visible()
    expect(parts.get_by_text("the engine last reported")).to_be_visible()
    assert trouble.seen == []


def test_a_search_narrows_the_list_while_one_types(
    visit: Callable[..., Page], trouble: Trouble, alice: Person
) -> None:
    office.people()
    window = visit(alice)
    window.goto("/extensions/")
    window.get_by_label("Number, name or person").press_sequentially("sara")
    expect(window.locator("#list tbody tr")).to_have_count(1)
    window.get_by_role("link", name="221").click()
    expect(window).to_have_url(re.compile(r"/admin/directory/extension/\d+/change/"))
    window.get_by_role("link", name="Back to the dashboard").click()
    expect(window.get_by_role("heading", name="Live", level=1)).to_be_visible()
    assert trouble.seen == []


def test_the_system_page_tells_what_a_phone_needs(plain_static: None, alice: Person) -> None:
    office.domain()
    client = Client()
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get("/system/").content.decode()
    setup = page[page.index('id="setup"') :]
    for what in (office.DOMAIN, str(settings.ENVIRONMENT.sip_port), "Port (TLS)"):
        assert what in setup
