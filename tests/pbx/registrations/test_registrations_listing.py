from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from pbx.registrations.listing import as_json, current_bindings, seconds_left
from tests.pbx.registrations.rows import binding


@pytest.mark.django_db
def test_json_has_the_contracts_keys() -> None:
    row = binding()
    now = row.expires_at - timedelta(seconds=120.4)
    assert as_json(row, now) == {
        "aor": "1001@pbx.example",
        "contact": "sip:1001@192.0.2.7:5062",
        "received": "192.0.2.7:5062",
        "transport": "UDP",
        "expires": 120,
        "expires_at": row.expires_at.isoformat(),
        "user_agent": "Desk Phone 1.0",
        "unreachable_since": None,
    }


@pytest.mark.django_db
def test_json_says_since_when_a_phone_does_not_answer() -> None:
    now = timezone.now()
    row = binding(unreachable_since=now)
    assert as_json(row, now)["unreachable_since"] == now.isoformat()


@pytest.mark.django_db
def test_expired_bindings_are_not_listed() -> None:
    now = timezone.now()
    binding(expires_at=now - timedelta(seconds=1))
    stays = binding(contact="sip:other")
    assert list(current_bindings(now)) == [stays]
    assert seconds_left(stays, now + timedelta(days=1)) == 0


@pytest.mark.django_db
def test_by_address() -> None:
    for aor in ("b@pbx.example", "a@pbx.example"):
        binding(aor=aor)
    assert [row.aor for row in current_bindings(timezone.now())] == [
        "a@pbx.example",
        "b@pbx.example",
    ]
