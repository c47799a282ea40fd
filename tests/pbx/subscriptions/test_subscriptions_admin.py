"""Subscriptions in the admin: an administrator sees them, nobody changes them, strangers see nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from pbx.subscriptions.models import Subscription
from tests.pbx.read_only import is_hidden, is_seen_unchangeable, nobody_writes

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> Subscription:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    return Subscription.objects.create(
        id="0a1b-e1", package="dialog", resource="1002@pbx.test", subscriber="1001@pbx.test",
        call_id="c", local="<sip:1002@pbx.test>", remote="<sip:1001@pbx.test>;tag=1",
        remote_tag="1", target="sip:1001@192.0.2.7", cseq=32, remote_cseq=1, expires_at=now,
        transport="UDP", received="192.0.2.7:5060", created_at=now, updated_at=now,
    )  # fmt: skip


def test_administrator_and_operator_see_it(
    as_alice: Client, as_bob: Client, row: Subscription
) -> None:
    for client in (as_alice, as_bob):
        is_seen_unchangeable(client, row, "1002@pbx.test")


@pytest.mark.parametrize("who", ["as_alice", "as_bob", "as_charlie"])
def test_nobody_writes_what_the_engine_writes(
    who: str, request: pytest.FixtureRequest, row: Subscription
) -> None:
    nobody_writes(request.getfixturevalue(who), row, "resource")


def test_a_stranger_is_sent_to_log_in(
    client: Client, as_charlie: Client, row: Subscription
) -> None:
    for stranger in (client, as_charlie):
        is_hidden(stranger, row, "1002@pbx.test")
