"""The contract: 10,000 extensions apply in under 20 s."""

from __future__ import annotations

import time

import pytest

from pbx.configfile import stored
from pbx.configfile.applying import apply
from pbx.configfile.reading import read
from pbx.configfile.writing import write
from pbx.directory.models import Credential, Domain, Extension

COUNT = 10_000


def file(name: str) -> bytes:
    items = "".join(
        f'  - number: "{number}"\n'
        f"    name: {name} {number}\n"
        f"    password: secret-{number}-{name}\n"
        "    max_contacts: 10\n"
        "    ring_timeout: 60\n"
        "    forward: {always: null, busy: null, no_answer: null, no_answer_after: 20}\n"
        for number in range(100_000, 100_000 + COUNT)
    )
    return f"version: 1\ndomain: pbx.example\nextensions:\n{items}".encode()


@pytest.mark.django_db
def test_ten_thousand_extensions(django_assert_max_num_queries: object) -> None:
    begun = time.monotonic()
    with django_assert_max_num_queries(60):  # type: ignore[operator]
        apply(read(file("Phone")))
    assert time.monotonic() - begun < 20
    assert (Extension.objects.count(), Credential.objects.count()) == (COUNT, COUNT)

    begun = time.monotonic()
    outcome = apply(read(file("Person")))
    assert outcome.plan.touched_extensions == COUNT
    assert time.monotonic() - begun < 20

    begun = time.monotonic()
    exported = "".join(write(stored.load(Domain.objects.get()))).encode()
    assert not apply(read(exported), prune=True).changed
    assert time.monotonic() - begun < 20

    begun = time.monotonic()
    outcome = apply(read(b"version: 1\ndomain: pbx.example\n"), prune=True)
    assert len(outcome.plan.removed_extensions) == COUNT
    assert time.monotonic() - begun < 20
    assert not Credential.objects.exists()
