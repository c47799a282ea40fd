"""The administration in the words and the order of somebody who runs an office's telephones."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axes.models import AccessAttempt
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from pbx.directory.models import Extension, Person
from tests.webui import office

PHONE = 390
LISTS = (
    "directory/extension",
    "directory/person",
    "routing/rule",
    "registrations/binding",
    "calls/call",
    "guard/ban",
    "subscriptions/subscription",
    "axes/accessattempt",
)
NEW = {
    "enabled": "on",
    "max_contacts": "10",
    "ring_timeout": "60",
    "forward_no_answer_after": "20",
    "devices-TOTAL_FORMS": "0",
    "devices-INITIAL_FORMS": "0",
}


def client(person: Person) -> Client:
    made = Client()
    made.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return made


def words(answer: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer))


@pytest.mark.usefixtures("plain_static")
def test_the_first_page_names_purposes_not_programs(alice: Person) -> None:
    page = words(client(alice).get("/admin/").content.decode())
    for section in ("Telephones", "Where calls go", "People and access", "What happened"):
        assert section in page
    for program in ("Axes", "Authentication and Authorization", "Access failures", "Site admin"):
        assert program not in page


@pytest.mark.usefixtures("plain_static")
def test_somebody_without_the_right_sees_no_list_of_it(bob: Person) -> None:
    page = words(client(bob).get("/admin/").content.decode())
    assert "Extensions" in page
    assert "Wrong log-ins" not in page


@pytest.mark.usefixtures("plain_static")
def test_who_has_no_right_to_it_is_told_so(charlie: Person) -> None:
    answer = client(charlie).get("/admin/calls/call/", follow=True)
    assert answer.status_code == 403
    assert "Your account may not do this." in answer.content.decode()


@pytest.mark.usefixtures("plain_static")
def test_an_empty_list_says_so_and_leads_on(alice: Person) -> None:
    as_alice = client(alice)
    assert "There is nothing here now." in as_alice.get("/admin/calls/call/").content.decode()
    empty = as_alice.get("/admin/directory/extension/").content.decode()
    assert "There is nothing here yet." in empty
    assert reverse("admin:directory_extension_add") in empty
    office.people()
    searched = as_alice.get("/admin/directory/extension/", {"q": "nobody"}).content.decode()
    assert "Nothing matches." in searched


@pytest.mark.usefixtures("plain_static")
def test_a_new_extension_tells_what_to_enter_into_its_phone(alice: Person) -> None:
    fields = {**NEW, "domain": str(office.domain().pk), "number": "301", "generate": "on"}
    answer = client(alice).post(reverse("admin:directory_extension_add"), fields, follow=True)
    told = words(answer.content.decode())
    assert re.search(r"The password of 301 is \w+ – it is shown only this once", told)
    assert re.search(r"server \S+ , port \d+ \(UDP or TCP\), domain pbx.example , user name", told)


@pytest.mark.usefixtures("plain_static")
def test_a_new_extension_without_password_leads_to_giving_one(alice: Person) -> None:
    fields = {**NEW, "domain": str(office.domain().pk), "number": "302"}
    answer = client(alice).post(reverse("admin:directory_extension_add"), fields, follow=True)
    page = answer.content.decode()
    assert "No phone can log in as 302 yet" in page
    change = reverse("admin:directory_extension_change", args=[Extension.objects.get().pk])
    assert f'<a href="{change}">Give it one</a>' in page


@pytest.mark.usefixtures("plain_static")
def test_a_new_person_must_choose_an_own_password(alice: Person) -> None:
    as_alice = client(alice)
    address = reverse("admin:directory_person_add")
    page = as_alice.get(address).content.decode()
    assert "Single Sign-On" not in page
    assert re.search(r'name="must_change_password"[^>]*checked', page)
    secret = "eight green bottles"
    fields = {
        "username": "dora",
        "password1": secret,
        "password2": secret,
        "must_change_password": "on",
    }
    as_alice.post(address, fields)
    made = Person.objects.get(username="dora")
    assert made.check_password(secret)
    assert made.must_change_password


@pytest.mark.usefixtures("plain_static")
def test_a_locked_log_in_is_seen_and_deleted_but_not_changed(alice: Person) -> None:
    attempt = AccessAttempt.objects.create(
        username="bob", ip_address="192.0.2.7", failures_since_start=10, get_data="", post_data=""
    )
    as_alice = client(alice)
    page = as_alice.get("/admin/axes/accessattempt/").content.decode()
    assert "192.0.2.7" in page
    assert as_alice.get("/admin/axes/accessattempt/add/").status_code == 403
    change = reverse("admin:axes_accessattempt_change", args=[attempt.pk])
    assert as_alice.post(change, {"username": "eve"}).status_code == 403
    as_alice.post(
        "/admin/axes/accessattempt/",
        {"action": "delete_selected", "_selected_action": [attempt.pk], "post": "yes"},
    )
    assert not AccessAttempt.objects.exists()


@pytest.mark.usefixtures("plain_static")
def test_times_are_written_as_on_the_dashboard(alice: Person) -> None:
    office.answered_in_team()
    page = client(alice).get("/admin/calls/call/").content.decode()
    assert re.search(r"\d{1,2} \w{3} \d{4} \d\d:\d\d", page)
    assert not re.search(r"[ap]\.m\.", page)


def test_on_a_phone_no_list_scrolls_sideways(visit: Callable[..., Page], alice: Person) -> None:
    office.whole_office()
    window = visit(alice, width=PHONE, height=844)
    for path in LISTS:
        window.goto(f"/admin/{path}/")
        over = window.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert over <= 0, f"{path} scrolls {over} px"
        beyond = window.evaluate(
            """[...document.querySelectorAll('#result_list td, #result_list th')]
            .filter((cell) => cell.getBoundingClientRect().right > innerWidth).length"""
        )
        assert beyond == 0, path
    window.goto("/admin/directory/extension/")
    cell = window.locator("#result_list td.field-domain").first
    expect(cell).to_have_attribute("data-label", "Domain")


@pytest.mark.usefixtures("plain_static")
@pytest.mark.parametrize("form", ["directory/extension", "directory/device", "routing/rule"])
def test_what_a_form_points_to_is_not_changed_from_there(alice: Person, form: str) -> None:
    page = client(alice).get(f"/admin/{form}/add/").content.decode()
    for slip in ("change_id_", "delete_id_", "view_id_"):
        assert f'id="{slip}' not in page


def test_a_search_box_that_is_made_late_has_its_field_s_name(
    visit: Callable[..., Page], alice: Person
) -> None:
    """Django's script makes it after the page's load event where the browser is busy."""
    window = visit(alice)
    window.goto("/admin/directory/extension/add/")
    box = window.locator("#id_person + .select2-container .select2-selection")
    expect(box).to_have_attribute("aria-label", "Person")
    window.evaluate(
        "django.jQuery('#id_person').select2('destroy').djangoAdminSelect2() && undefined"
    )
    expect(box).to_have_attribute("aria-label", "Person")
    shown = box.locator(".select2-selection__rendered")
    expect(shown).to_have_attribute("aria-label", "Person")
