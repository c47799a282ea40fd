"""What holds of every table in the admin that the engine alone writes."""

from __future__ import annotations

from django.db.models import Model
from django.test import Client
from django.urls import reverse


def is_seen_unchangeable(client: Client, row: Model, word: str) -> None:
    """The list and the row's own page are there, and nothing on them saves."""
    assert word in client.get(_address(row, "changelist")).content.decode()
    assert 'name="_save"' not in client.get(_address(row, "change")).content.decode()


def nobody_writes(client: Client, row: Model, field: str) -> None:
    """Whoever the client is: add, change and delete are refused, and the row stays as it was."""
    before = type(row).objects.get(pk=row.pk)  # type: ignore[attr-defined]
    for action in ("change", "delete"):
        answer = client.post(_address(row, action), {"post": "yes", field: "x"})
        assert answer.status_code in (302, 403)
        assert answer.status_code == 403 or "login" in answer.headers["Location"]
    assert client.get(_address(row, "add")).status_code in (302, 403)
    after = type(row).objects.get(pk=row.pk)  # type: ignore[attr-defined]
    assert getattr(after, field) == getattr(before, field)


def is_hidden(client: Client, row: Model, word: str) -> None:
    """A stranger is sent to log in."""
    answer = client.get(_address(row, "changelist"))
    assert answer.status_code in (302, 403)
    assert word.encode() not in answer.content


def _address(row: Model, action: str) -> str:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_{action}"
    return reverse(name, args=[row.pk] if action in ("change", "delete") else [])
