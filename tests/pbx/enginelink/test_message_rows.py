"""Kept messages on their way: journal line, row, and record again after a restart."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from pbx.enginelink.message_rows import stored_messages
from sipengine.api import KeptMessage, KeptMessageGone
from sipengine.journal import START, Journal, decode, encode
from sipengine.journal.lines import parse
from tests.pbx.enginelink.facts import T0
from tests.pbx.enginelink.test_subscription_rows import carry
from tests.pbx.enginelink.whole import restored_whole


def message(number: int, **changes: object) -> KeptMessage:
    record = KeptMessage(
        id=str(uuid.UUID(int=number)),
        recipient="1002@pbx.example",
        sender="1001@pbx.example",
        sender_name="Alice Ü",
        from_uri="sip:1001@pbx.example",
        content_type="text/plain;charset=UTF-8",
        body="Grüße ✓ Ã¼ \\u0000 \U0001f600\r\n",
        sent_at=T0 + 0.25,
        expires_at=T0 + 7 * 86400,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def gone(number: int) -> KeptMessageGone:
    return KeptMessageGone(message(number).id, "delivered", T0)


@pytest.mark.parametrize("fact", [message(1), gone(1)])
def test_a_line_is_what_it_was(fact: KeptMessage | KeptMessageGone) -> None:
    assert decode(parse(encode(fact)[:-1], START)) == fact


def test_rows_follow_the_facts_and_the_text_is_as_it_was(
    tmp_path: Path, database_url: str, connection: psycopg.Connection
) -> None:
    journal = Journal.open(tmp_path)
    journal.write([encode(fact) for fact in (message(1), message(2), gone(1), message(3))])
    carry(database_url, journal)
    assert stored_messages(connection) == {m.id: m for m in (message(2), message(3))}
    journal.write([encode(fact) for fact in (gone(2), message(4))])
    assert restored_whole(journal, connection).messages == [message(3), message(4)]
    carry(database_url, journal)
    assert restored_whole(journal, connection).messages == [message(3), message(4)]
    journal.close()
