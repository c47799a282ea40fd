from __future__ import annotations

import logging
import re

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from pbx.directory import actions
from pbx.directory.models import Credential, Domain, Extension, Person
from pbx.directory.passwords import hash_password
from tests.pbx.routing.rules import add_rule

EXTENSIONS = "admin:directory_extension_changelist"
ADD_EXTENSION = "admin:directory_extension_add"
NO_DEVICES = {"devices-TOTAL_FORMS": "0", "devices-INITIAL_FORMS": "0"}
SETTINGS = {
    "enabled": "on",
    "max_contacts": "10",
    "ring_timeout": "60",
    "forward_no_answer_after": "20",
}


def page(client: Client, name: str, *args: object, **query: str) -> str:
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def form(domain: Domain, **fields: str) -> dict[str, str]:
    return {"domain": str(domain.pk), **NO_DEVICES, **SETTINGS, **fields}


def lists() -> list[str]:
    reverse("admin:index")  # the admin's pages are found when the addresses are read
    ours = ("directory", "routing", "registrations", "calls")
    found = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
        if model._meta.app_label in ours
    ]
    assert len(found) == 7
    return found


def test_every_model_has_its_page(as_alice: Client) -> None:
    for address in lists():
        assert as_alice.get(address).status_code == 200


@pytest.mark.django_db
def test_anonymous_is_sent_to_log_in() -> None:
    for address in lists():
        response = Client().get(address)
        assert response.status_code == 302
        assert "login" in response.headers["Location"]


def test_stranger_sees_and_changes_nothing(as_charlie: Client, domain: Domain) -> None:
    extension = actions.add_extension(domain, "1001")
    change = reverse("admin:directory_extension_change", args=[extension.pk])
    for address in [*lists(), change]:
        assert as_charlie.get(address).status_code in (302, 403)
    as_charlie.post(reverse(ADD_EXTENSION), form(domain, number="1002"))
    as_charlie.post(change, form(domain, name="Mallory"))
    extension.refresh_from_db()
    assert (extension.name, Extension.objects.count()) == ("", 1)


def test_operator_changes_extensions_but_not_people(
    as_bob: Client, bob: Person, alice: Person, domain: Domain
) -> None:
    as_bob.post(reverse(ADD_EXTENSION), form(domain, number="1001", new_password="s3cret-alice"))
    assert Extension.objects.get().credential.realm == "pbx.example"
    for address in lists():
        assert as_bob.get(address).status_code == 200
    for person in (bob, alice):
        change = reverse("admin:directory_person_change", args=[person.pk])
        response = as_bob.post(change, {"username": "root", "is_superuser": "on"})
        assert response.status_code == 403
        password = reverse("admin:auth_user_password_change", args=[person.pk])
        answer = as_bob.post(password, {"password1": "gotcha-12345", "password2": "gotcha-12345"})
        assert answer.status_code == 403
    bob.refresh_from_db()
    assert not bob.is_superuser
    change = reverse("admin:directory_domain_change", args=[domain.pk])
    assert as_bob.post(change, {"name": "x.example", "mode": "proxy"}).status_code == 403


def test_who_may_change_people_cannot_become_administrator(
    as_bob: Client, bob: Person, alice: Person
) -> None:
    from django.contrib.auth.models import Permission

    bob.user_permissions.add(Permission.objects.get(codename="change_person"))
    text = page(as_bob, "admin:directory_person_change", bob.pk)
    assert 'name="first_name"' in text
    assert 'name="is_superuser"' not in text
    assert 'name="groups"' not in text
    change = reverse("admin:directory_person_change", args=[alice.pk])
    assert as_bob.post(change, {"username": "alice"}).status_code == 403


def test_typed_password_is_stored_as_hashes_and_never_shown(
    as_alice: Client, domain: Domain, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fields = form(domain, number="1001", new_password="s3cret-alice")
    response = as_alice.post(reverse(ADD_EXTENSION), fields, follow=True)
    assert response.status_code == 200
    expected = hash_password("1001", "pbx.example", "s3cret-alice")
    credential = Credential.objects.get()
    assert (credential.ha1_md5, credential.ha1_sha256) == expected
    text = page(as_alice, "admin:directory_extension_change", Extension.objects.get().pk)
    for secret in ("s3cret-alice", *expected):
        assert secret not in response.content.decode()
        assert secret not in text
        assert secret not in caplog.text


def test_generated_password_is_shown_once(as_alice: Client, domain: Domain) -> None:
    fields = form(domain, number="1001", generate="on")
    response = as_alice.post(reverse(ADD_EXTENSION), fields, follow=True)
    shown = re.search(r"password of 1001 is <code>(\w+)</code>", response.content.decode())
    assert shown is not None
    expected = hash_password("1001", "pbx.example", shown[1])
    assert Credential.objects.get().ha1_sha256 == expected.ha1_sha256
    assert shown[1] not in page(as_alice, EXTENSIONS)


def test_empty_password_field_keeps_the_password(as_alice: Client, domain: Domain) -> None:
    extension = actions.add_extension(domain, "1001", "s3cret-alice")
    before = extension.credential.ha1_md5
    change = reverse("admin:directory_extension_change", args=[extension.pk])
    response = as_alice.post(change, form(domain, name="Alice", new_password=""))
    assert response.status_code == 302
    assert Extension.objects.get().name == "Alice"
    assert Credential.objects.get().ha1_md5 == before


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"number": "10 01"}, "without spaces"),
        ({"number": "1001", "forward_busy": "not there"}, "not a place to send a call"),
        ({"number": "1001", "forward_busy": "1001"}, "cannot forward to itself"),
        ({"number": "1001", "max_contacts": "0"}, "greater than or equal to 1"),
        ({"number": "1001", "new_password": "short"}, "Too easy to guess"),
        ({"number": "1001", "new_password": "1001-1001-1001"}, "Too easy to guess"),
        ({"number": "1001", "new_password": "long-enough-1", "generate": "on"}, "not both"),
        ({"number": "2000"}, "already exists"),
    ],
)
def test_wrong_extension_is_told_in_words(
    as_alice: Client, domain: Domain, fields: dict[str, str], says: str
) -> None:
    actions.add_extension(domain, "2000")
    response = as_alice.post(reverse(ADD_EXTENSION), form(domain, **fields))
    assert response.status_code == 200
    assert says in response.content.decode()
    assert Extension.objects.count() == 1


def test_number_of_a_stored_extension_cannot_be_typed_over(
    as_alice: Client, domain: Domain
) -> None:
    extension = actions.add_extension(domain, "1001", "s3cret-alice")
    change = reverse("admin:directory_extension_change", args=[extension.pk])
    as_alice.post(change, form(domain, number="1002", name="Alice"))
    extension.refresh_from_db()
    assert (extension.number, extension.name) == ("1001", "Alice")


def test_bulk_disable_and_enable(as_alice: Client, domain: Domain) -> None:
    keys = [str(actions.add_extension(domain, str(n)).pk) for n in range(1001, 1004)]
    for action, enabled in (("disable", 1), ("enable", 3)):
        data = {"action": action, "_selected_action": keys[:2]}
        response = as_alice.post(reverse(EXTENSIONS), data, follow=True)
        assert f"2 extensions {action}d" in response.content.decode()
        assert Extension.objects.filter(enabled=True).count() == enabled


def test_pages_work_under_the_strict_policy(as_alice: Client, domain: Domain) -> None:
    extension = actions.add_extension(domain, "1001")
    rule = add_rule(domain, "team", ["1001"], called="1500")
    pages = [
        *lists(),
        reverse(ADD_EXTENSION),
        reverse("admin:directory_extension_change", args=[extension.pk]),
        reverse("admin:directory_extension_delete", args=[extension.pk]),
        reverse("admin:routing_rule_change", args=[rule.pk]),
    ]
    for address in pages:
        response = as_alice.get(address)
        text = response.content.decode()
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)


def test_search_and_filter(as_alice: Client, domain: Domain) -> None:
    actions.add_extension(domain, "1001", name="Alice Adams")
    actions.add_extension(domain, "1002", name="Bob Brown", enabled=False)
    assert "Alice Adams" not in page(as_alice, EXTENSIONS, q="brown")
    assert "Alice Adams" not in page(as_alice, EXTENSIONS, enabled__exact="0")
    assert "Bob Brown" not in page(as_alice, EXTENSIONS, q="1001")


def test_default_domain_by_action_and_no_delete_of_it(as_alice: Client, domain: Domain) -> None:
    other = actions.add_domain("other.example")
    address = reverse("admin:directory_domain_changelist")
    both = {"action": "make_default", "_selected_action": [str(domain.pk), str(other.pk)]}
    assert "Choose one domain" in as_alice.post(address, both, follow=True).content.decode()
    one = {"action": "make_default", "_selected_action": [str(other.pk)]}
    as_alice.post(address, one)
    assert Domain.objects.get(is_default=True) == other
    delete = reverse("admin:directory_domain_delete", args=[other.pk])
    assert as_alice.post(delete, {"post": "yes"}).status_code == 403
    wipe = {"action": "delete_selected", "_selected_action": [str(other.pk)], "post": "yes"}
    as_alice.post(address, wipe)
    assert Domain.objects.count() == 2


def test_a_missing_number_is_all_that_is_said_of_it(as_alice: Client, domain: Domain) -> None:
    answer = as_alice.post(reverse(ADD_EXTENSION), form(domain, number=""))
    text = answer.content.decode()
    assert "This field is required." in text
    assert "forward to itself" not in text


def test_the_person_of_an_extension_is_found_by_name(as_bob: Client, alice: Person) -> None:
    Person.objects.filter(pk=alice.pk).update(first_name="Mira")
    query = {
        "app_label": "directory", "model_name": "extension", "field_name": "person", "term": "mir",
    }  # fmt: skip
    found = as_bob.get(reverse("admin:autocomplete"), query).json()
    assert [each["id"] for each in found["results"]] == [str(alice.pk)]


def test_nobody_is_deleted_where_one_is_chosen(as_alice: Client, domain: Domain) -> None:
    text = page(as_alice, ADD_EXTENSION)
    assert "add_id_person" in text
    for what in ("delete_id_person", "change_id_person", "delete_id_domain", "change_id_domain"):
        assert what not in text


def test_timetables_of_the_program_are_not_offered(as_alice: Client) -> None:
    assert "Solar" not in page(as_alice, "admin:index")


def test_lists_cost_the_same_for_50_rows(
    as_alice: Client, domain: Domain, django_assert_max_num_queries: object
) -> None:
    for number in range(1001, 1051):
        person = Person.objects.create(username=f"person{number}")
        extension = actions.add_extension(domain, str(number), "s3cret-word", person=person)
        extension.devices.create(name="desk")
    for name in ("extension", "device", "person", "domain"):
        with django_assert_max_num_queries(12):  # type: ignore[operator]
            page(as_alice, f"admin:directory_{name}_changelist")
