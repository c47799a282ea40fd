"""The cast: Alice administers, Bob operates, Charlie is a stranger with an account."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from pbx.directory import actions
from pbx.directory.models import Domain, Person


@pytest.fixture
def domain(db: None) -> Domain:
    return actions.make_default(actions.add_domain("pbx.example"))


@pytest.fixture
def alice(db: None) -> Person:
    return Person.objects.create(username="alice", is_staff=True, is_superuser=True)


@pytest.fixture
def bob(db: None) -> Person:
    actions.ensure_roles()
    bob = Person.objects.create(username="bob", is_staff=True)
    bob.groups.add(Group.objects.get(name=actions.OPERATOR))
    return bob


@pytest.fixture
def charlie(db: None) -> Person:
    return Person.objects.create(username="charlie")


def logged_in(person: Person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def as_alice(alice: Person) -> Client:
    return logged_in(alice)


@pytest.fixture
def as_bob(bob: Person) -> Client:
    return logged_in(bob)


@pytest.fixture
def as_charlie(charlie: Person) -> Client:
    return logged_in(charlie)
