"""Messages that wait, in the admin: administrators see them, nobody changes them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from pbx.pager.models import KeptMessage

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> KeptMessage:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    return KeptMessage.objects.create(
        id=UUID(int=1), recipient="1002@pbx.test", sender="1001@pbx.test", sender_name="Alice",
        from_uri="sip:1001@pbx.test", content_type="text/plain", body="hello", sent_at=now,
        expires_at=now,
    )  # fmt: skip


LIST = "admin:pager_keptmessage_changelist"


def test_only_an_administrator_sees_it(as_alice: Client, as_bob: Client, row: KeptMessage) -> None:
    assert as_bob.get(reverse(LIST)).status_code == 403, "texts are no business of the operators"
    for client in (as_alice,):
        assert "1002@pbx.test" in client.get(reverse(LIST)).content.decode()
        address = reverse("admin:pager_keptmessage_change", args=[row.pk])
        assert 'name="_save"' not in client.get(address).content.decode()


@pytest.mark.parametrize("who", ["as_alice", "as_bob", "as_charlie"])
def test_nobody_writes_what_the_engine_writes(
    who: str, request: pytest.FixtureRequest, row: KeptMessage
) -> None:
    client: Client = request.getfixturevalue(who)
    for action in ("change", "delete"):
        address = reverse(f"admin:pager_keptmessage_{action}", args=[row.pk])
        answer = client.post(address, {"post": "yes", "body": "x"})
        assert answer.status_code in (302, 403)
        assert answer.status_code == 403 or "login" in answer.headers["Location"]
    assert client.get(reverse("admin:pager_keptmessage_add")).status_code in (302, 403)
    assert KeptMessage.objects.get() == row


def test_a_stranger_is_sent_to_log_in(client: Client, as_charlie: Client, row: KeptMessage) -> None:
    for stranger in (client, as_charlie):
        answer = stranger.get(reverse(LIST))
        assert answer.status_code in (302, 403)
        assert b"1002@pbx.test" not in answer.content
