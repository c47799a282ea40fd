from __future__ import annotations

import hashlib

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from pbx.directory import actions
from pbx.directory.models import Credential, Domain, Extension, Person


@pytest.mark.django_db
def test_first_default_domain_in_lower_case() -> None:
    made = actions.ensure_default_domain("PBX.Example")
    assert (made.name, made.is_default, made.automatic) == ("pbx.example", True, True)
    assert actions.ensure_default_domain("pbx.example") == made
    assert Domain.objects.count() == 1


@pytest.mark.django_db
def test_default_domain_may_be_an_address_rfc3261_25_1() -> None:
    assert actions.ensure_default_domain("192.0.2.1").name == "192.0.2.1"
    assert actions.ensure_default_domain("2001:DB8::1").name == "[2001:db8::1]"
    assert actions.ensure_default_domain("[2001:db8::1]").name == "[2001:db8::1]"


@pytest.mark.django_db
def test_automatic_default_follows_the_host_name_while_empty() -> None:
    made = actions.ensure_default_domain("first.example")
    renamed = actions.ensure_default_domain("second.example")
    assert renamed.pk == made.pk
    assert [(d.name, d.is_default) for d in Domain.objects.all()] == [("second.example", True)]


@pytest.mark.django_db
def test_default_in_use_stays() -> None:
    made = actions.ensure_default_domain("first.example")
    actions.add_extension(made, "1001")
    assert actions.ensure_default_domain("second.example") == made
    assert Domain.objects.get().name == "first.example"


def test_chosen_default_stays(domain: Domain) -> None:
    assert actions.ensure_default_domain("second.example") == domain
    assert Domain.objects.count() == 1


@pytest.mark.django_db
def test_automatic_default_gives_way_to_an_existing_domain() -> None:
    actions.ensure_default_domain("first.example")
    second = actions.add_domain("second.example")
    assert actions.ensure_default_domain("second.example") == second
    assert [(d.name, d.is_default) for d in Domain.objects.all()] == [("second.example", True)]


def test_one_default_domain(domain: Domain) -> None:
    other = actions.add_domain("other.example")
    actions.make_default(other)
    assert list(Domain.objects.filter(is_default=True)) == [other]
    with pytest.raises(IntegrityError), transaction.atomic():
        Domain.objects.update(is_default=True)


@pytest.mark.django_db
def test_domain_names_are_one_whatever_their_case() -> None:
    actions.add_domain("Pbx.Example")
    with pytest.raises(ValidationError, match="already exists"):
        actions.add_domain("pbx.EXAMPLE")
    with pytest.raises(IntegrityError), transaction.atomic():
        Domain.objects.create(name="OTHER.example")


def test_domain_in_use_keeps_its_name(domain: Domain) -> None:
    domain.name = "renamed.example"
    domain.full_clean()
    actions.add_extension(Domain.objects.get(), "1001")
    with pytest.raises(ValidationError, match="passwords hold for its name"):
        domain.full_clean()


def test_removing_domains(domain: Domain) -> None:
    with pytest.raises(ValidationError, match="is the default domain"):
        actions.remove_domain(domain)
    other = actions.add_domain("other.example")
    extension = actions.add_extension(other, "1001")
    with pytest.raises(ValidationError, match="still has extensions"):
        actions.remove_domain(other)
    actions.remove_extension(extension)
    actions.remove_domain(other)
    assert list(Domain.objects.all()) == [domain]


@pytest.mark.django_db
def test_admin_with_generated_password_is_told_once() -> None:
    password = actions.ensure_admin(None)
    assert password is not None
    admin = Person.objects.get(username="admin")
    assert admin.check_password(password)
    assert (admin.is_superuser, admin.is_staff, admin.must_change_password) == (True, True, True)
    assert actions.ensure_admin(None) is None
    assert actions.ensure_admin("another-one") is None
    assert Person.objects.get().check_password(password)


@pytest.mark.django_db
def test_admin_with_given_password() -> None:
    assert actions.ensure_admin("given-by-variable") is None
    admin = Person.objects.get()
    assert admin.check_password("given-by-variable")
    assert not admin.must_change_password


def test_no_admin_is_made_where_somebody_administers(alice: Person) -> None:
    assert actions.ensure_admin(None) is None
    assert list(Person.objects.all()) == [alice]


@pytest.mark.django_db
def test_plain_person_called_admin_does_not_become_one() -> None:
    Person.objects.create(username="admin")
    assert actions.ensure_admin("given-by-variable") is None
    assert not Person.objects.get().is_superuser


@pytest.mark.django_db
def test_operators_rights() -> None:
    group = actions.ensure_roles()
    names = {permission.codename for permission in group.permissions.all()}
    assert {"view_call", "view_binding", "view_person", "view_domain"} <= names
    assert {"add_extension", "change_rule", "delete_target", "change_credential"} <= names
    assert not names & {
        "change_person",
        "add_person",
        "change_domain",
        "change_call",
        "add_binding",
    }
    group.permissions.clear()
    actions.ensure_roles()
    assert not Group.objects.get().permissions.exists(), "what an admin took away stays away"


def test_password_is_stored_as_both_hashes_only_rfc7616_3_4_2(domain: Domain) -> None:
    extension = actions.add_extension(domain, "1001", "s3cret-alice", name="Alice Adams")
    text = b"1001:pbx.example:s3cret-alice"
    assert extension.credential.ha1_md5 == hashlib.md5(text).hexdigest()
    assert extension.credential.ha1_sha256 == hashlib.sha256(text).hexdigest()
    assert extension.credential.realm == "pbx.example"
    assert "s3cret-alice" not in whole_database()


def test_new_password_replaces_the_old(domain: Domain) -> None:
    extension = actions.add_extension(domain, "1001", "first-password")
    before = extension.credential.ha1_md5
    actions.set_extension_password(extension, "second-password")
    changed = Credential.objects.get()
    assert changed.ha1_md5 != before
    actions.set_extension_password(extension, "second-password")
    assert Credential.objects.get().changed_at == changed.changed_at, "phones stay signed in"


@pytest.mark.parametrize("password", ["", "x" * 129, "a\nb"])
def test_unusable_passwords_change_nothing(domain: Domain, password: str) -> None:
    with pytest.raises(ValidationError):
        actions.add_extension(domain, "1001", password)
    assert not Extension.objects.exists()


def test_generated_passwords_differ_and_can_be_typed() -> None:
    found = {actions.generate_password() for _ in range(100)}
    assert len(found) == 100
    assert all(len(one) == 18 and one.isalnum() and one.isascii() for one in found)


def test_wrong_extension_changes_nothing(domain: Domain) -> None:
    actions.add_extension(domain, "1001")
    for number, fields in (
        ("1001", {}),
        ("10 02", {}),
        ("1002", {"max_contacts": 0}),
        ("1002", {"ring_timeout": 171}),
        ("1002", {"forward_always": "not there"}),
        ("1002", {"forward_always": "10{1}"}),
        ("1002", {"forward_busy": "1002"}),
        ("1002", {"forward_busy": "sip:1002@pbx.example"}),
        ("1002", {"name": "a\r\nb"}),
    ):
        with pytest.raises(ValidationError):
            actions.add_extension(domain, number, **fields)
    assert Extension.objects.get().number == "1001"


def test_number_and_domain_stay(domain: Domain) -> None:
    extension = actions.add_extension(domain, "1001", "s3cret-alice")
    with pytest.raises(ValidationError, match="stay as they are"):
        actions.change_extension(extension, number="1002")
    extension.refresh_from_db()
    assert extension.number == "1001"
    actions.change_extension(extension, name="Alice", ring_timeout=30)
    assert Extension.objects.get().ring_timeout == 30


def test_enabling_counts_what_changed(domain: Domain) -> None:
    both = [actions.add_extension(domain, number) for number in ("1001", "1002")]
    actions.change_extension(both[0], enabled=False)
    assert actions.enable_extensions(both, False) == 1
    assert actions.enable_extensions(both, True) == 2


def whole_database() -> str:
    """Every row of every table as text."""
    with connection.cursor() as cursor:
        text = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            text += [row[0] for row in cursor.fetchall()]
    return "\n".join(text)
