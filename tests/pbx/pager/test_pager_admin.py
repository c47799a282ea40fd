"""Messages that wait, in the admin: administrators see them, nobody changes them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.test import Client

from pbx.pager.models import KeptMessage
from tests.pbx.read_only import is_hidden, is_seen_unchangeable, nobody_writes

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> KeptMessage:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    return KeptMessage.objects.create(
        id=UUID(int=1), recipient="1002@pbx.test", sender="1001@pbx.test", sender_name="Alice",
        from_uri="sip:1001@pbx.test", content_type="text/plain", body="hello", sent_at=now,
        expires_at=now,
    )  # fmt: skip


def test_only_an_administrator_sees_it(as_alice: Client, as_bob: Client, row: KeptMessage) -> None:
    is_seen_unchangeable(as_alice, row, "1002@pbx.test")
    is_hidden(as_bob, row, "1002@pbx.test")  # texts are no business of the operators


@pytest.mark.parametrize("who", ["as_alice", "as_bob", "as_charlie"])
def test_nobody_writes_what_the_engine_writes(
    who: str, request: pytest.FixtureRequest, row: KeptMessage
) -> None:
    nobody_writes(request.getfixturevalue(who), row, "body")


def test_a_stranger_is_sent_to_log_in(client: Client, as_charlie: Client, row: KeptMessage) -> None:
    for stranger in (client, as_charlie):
        is_hidden(stranger, row, "1002@pbx.test")
