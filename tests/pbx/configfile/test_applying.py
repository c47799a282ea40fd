from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection

from pbx.configfile import stored
from pbx.configfile.applying import Outcome, apply
from pbx.configfile.reading import read
from pbx.configfile.telling import tell
from pbx.configfile.writing import write
from pbx.directory import actions
from pbx.directory.models import Credential, Device, Domain, Extension, Person
from pbx.routing.models import Rule

FILE = r"""
version: 1
domain: pbx.example
extensions:
  - {number: "1001", name: Alice Adams, password: s3cret-alice, devices: [{name: desk}]}
  - {number: "1002", name: Bob, password: s3cret-bob, forward: {busy: "1001"}}
rules:
  - {name: moved, called: "1999", action: redirect, targets: ["sip:1001@pbx.example"]}
  - {name: team, called: "/^15(\\d\\d)$/", action: forward, targets: ["1002", "10{1}"]}
  - {name: closed, called: "1600", action: reject, reason: Closed today}
"""


def applied(text: str, **options: bool) -> Outcome:
    return apply(read(text.encode()), **options)


def words(outcome: Outcome) -> list[str]:
    return list(tell(outcome, dry_run=False))


def row_versions() -> set[tuple[str, str, str]]:
    """Where each row lies and which transaction wrote it: changes if a row is touched at all."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith(("directory_", "routing_")):
                cursor.execute(f'SELECT xmin::text, cmin::text, ctid::text FROM "{table}"')
                found |= {(table, *row) for row in cursor.fetchall()}
    return found


@pytest.mark.django_db
def test_fresh_system() -> None:
    outcome = applied(FILE)
    assert words(outcome) == [
        "Domain pbx.example added; it is the default domain.",
        "Extensions: 2 added.",
        "Rules: 3 added.",
    ]
    assert Domain.objects.get().is_default
    assert Extension.objects.get(number="1002").forward_busy == "1001"
    assert Credential.objects.count() == 2
    assert [rule.name for rule in Rule.objects.all()] == ["moved", "team", "closed"]
    assert [str(target) for target in Rule.objects.get(name="team").targets.all()] == [
        "1002",
        "10{1}",
    ]


@pytest.mark.django_db
def test_again_touches_no_row() -> None:
    applied(FILE)
    before = row_versions()
    outcome = applied(FILE, prune=True)
    assert words(outcome) == ["There is nothing to change."]
    assert row_versions() == before


@pytest.mark.django_db
def test_only_what_differs_is_touched() -> None:
    applied(FILE)
    before = row_versions()
    outcome = applied(FILE.replace("Bob", "Bob Brown").replace("Closed today", "Closed"))
    assert words(outcome) == ["Extensions: 1 changed.", "Rules: 1 changed."]
    assert {table for table, *_ in row_versions() - before} == {
        "directory_extension",
        "routing_rule",
    }
    assert len(row_versions() - before) == 2


@pytest.mark.django_db
def test_new_password_and_device() -> None:
    applied(FILE)
    old = Credential.objects.get(extension__number="1001").ha1_sha256
    text = FILE.replace("s3cret-alice", "s3cret-alice-2").replace("{name: desk}", "{name: soft}")
    assert words(applied(text)) == ["Extensions: 1 changed."]
    assert Credential.objects.get(extension__number="1001").ha1_sha256 != old
    assert [device.name for device in Device.objects.all()] == ["soft"]


@pytest.mark.django_db
def test_what_the_file_leaves_out_stays() -> None:
    applied(FILE)
    person = Person.objects.create(username="alice")
    Extension.objects.filter(number="1001").update(person=person)
    text = 'version: 1\ndomain: pbx.example\nextensions: [{number: "1001", name: A}]\n'
    assert words(applied(text)) == ["Extensions: 1 changed."]
    assert Extension.objects.get(number="1001").person == person
    assert Credential.objects.count() == 2
    assert (Extension.objects.count(), Device.objects.count(), Rule.objects.count()) == (2, 1, 3)


@pytest.mark.django_db
def test_prune() -> None:
    applied(FILE)
    other = actions.add_domain("other.example")
    actions.add_extension(other, "1002")
    text = 'version: 1\ndomain: pbx.example\nextensions: [{number: "1001", name: Alice Adams}]\n'
    assert words(applied(text, prune=True)) == [
        "Extensions: 1 changed, 1 removed.",
        "Rules: 3 removed.",
    ]
    assert [str(extension) for extension in Extension.objects.all()] == ["1002", "1001 Alice Adams"]
    assert not Rule.objects.exists()


@pytest.mark.django_db
def test_dry_run_tells_and_changes_nothing() -> None:
    outcome = applied(FILE, dry_run=True)
    first, *_ = tell(outcome, dry_run=True)
    assert first == "This would be done (nothing was changed):"
    assert outcome.plan.added_extensions
    assert not Domain.objects.exists()


@pytest.mark.django_db
def test_order_of_rules_is_the_files() -> None:
    applied(FILE)
    head, first, second, third = FILE.rstrip().rsplit("\n", 3)
    assert words(applied("\n".join((head, third, first, second)))) == [
        "Rules: put in the file's order."
    ]
    assert [rule.name for rule in Rule.objects.all()] == ["closed", "moved", "team"]
    before = row_versions()
    Rule.objects.update(position=7)  # the same order by other means
    applied("\n".join((head, first, second, third)))
    assert [rule.name for rule in Rule.objects.all()] == ["moved", "team", "closed"]
    assert row_versions() != before


@pytest.mark.django_db
def test_empty_automatic_default_goes_away() -> None:
    actions.ensure_default_domain("host1.local")
    assert words(applied(FILE))[0] == (
        "Domain pbx.example added; it is the default domain now; "
        "the empty domain host1.local is removed."
    )
    assert [(one.name, one.is_default) for one in Domain.objects.all()] == [("pbx.example", True)]
    assert actions.ensure_default_domain("host1.local").name == "pbx.example"


@pytest.mark.django_db
def test_automatic_default_that_the_file_names_is_kept_for_good() -> None:
    actions.ensure_default_domain("pbx.example")
    text = "version: 1\ndomain: pbx.example\n"
    assert words(applied(text)) == ["There is nothing to change."]
    assert not Domain.objects.get().automatic
    assert actions.ensure_default_domain("host1.local").name == "pbx.example"


def test_empty_default_that_somebody_made_gives_way_but_stays(domain: Domain) -> None:
    applied(FILE.replace("pbx.example", "other.example"))
    assert {(one.name, one.is_default) for one in Domain.objects.all()} == {
        ("pbx.example", False),
        ("other.example", True),
    }


def test_default_in_use_stays_the_default(domain: Domain) -> None:
    actions.add_extension(domain, "1001")
    outcome = applied(FILE.replace("pbx.example", "other.example"))
    assert words(outcome)[0] == "Domain other.example added."
    assert Domain.objects.get(is_default=True) == domain


def test_mode(domain: Domain) -> None:
    text = "version: 1\ndomain: pbx.example\n"
    applied(text + "mode: redirect\n")
    applied(text)
    assert Domain.objects.get().mode == "redirect"
    outcome = applied(text + "mode: proxy\n")
    assert words(outcome) == ["Mode: proxy; the domain relays calls."]


def test_what_holds_of_all_calls(domain: Domain) -> None:
    text = "version: 1\ndomain: pbx.example\n"
    wanted = 'calls: {session_timer: 1800, assert_identity: true, trusted: ["192.0.2.9", "::1"]}\n'
    outcome = applied(text + wanted)
    assert words(outcome) == [
        "Calls: confirmed every 1800 s; callers are named for certain; 2 trusted servers."
    ]
    assert words(applied(text)) == ["There is nothing to change."]
    stored = Domain.objects.get()
    assert (stored.session_timer, stored.assert_identity) == (1800, True)
    assert stored.trusted.split() == ["192.0.2.9", "::1"]
    applied(text + "calls: {session_timer: 0}\n")
    stored = Domain.objects.get()
    assert (stored.session_timer, stored.assert_identity, stored.trusted) == (0, False, "")


@pytest.mark.django_db
def test_trouble_half_way_leaves_everything_as_it_was() -> None:
    applied(FILE)
    before = list(export_lines())
    changed = FILE.replace("Bob", "Bobby").replace("1999", "1998")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or the table is still busy
        cursor.execute("ALTER TABLE routing_rule ADD CHECK (called <> '1998')")
    with pytest.raises(IntegrityError):
        applied(changed)
    assert list(export_lines()) == before


def export_lines() -> Iterator[str]:
    return write(stored.load(Domain.objects.get()))
