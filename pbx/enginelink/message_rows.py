"""Kept messages in Postgres: how their journal lines become rows, and how rows become records again."""

from __future__ import annotations

from typing import Final, LiteralString

import psycopg

from sipengine.api import KeptMessage

# A line tells a message and its end apart by `why`, which only an end has. A message never changes.
STORE: Final[LiteralString] = """
WITH facts AS MATERIALIZED (
    SELECT DISTINCT ON (id) *
    FROM ROWS FROM (json_to_recordset(%s::json) AS (
        id uuid, recipient text, sender text, sender_name text, from_uri text, content_type text,
        body text, sent_at float8, expires_at float8, why text
    )) WITH ORDINALITY AS line (
        id, recipient, sender, sender_name, from_uri, content_type, body, sent_at, expires_at, why,
        place)
    ORDER BY id, place DESC
), gone AS (
    DELETE FROM pager_keptmessage m USING facts f WHERE f.why IS NOT NULL AND m.id = f.id
)
INSERT INTO pager_keptmessage (
    id, recipient, sender, sender_name, from_uri, content_type, body, sent_at, expires_at)
SELECT id, recipient, sender, sender_name, from_uri, content_type, body, to_timestamp(sent_at),
    to_timestamp(expires_at)
FROM facts WHERE why IS NULL
ON CONFLICT (id) DO NOTHING
"""

_ALL: Final[LiteralString] = """
SELECT id::text, recipient, sender, sender_name, from_uri, content_type, body,
    extract(epoch FROM sent_at)::float8, extract(epoch FROM expires_at)::float8
FROM pager_keptmessage
"""


def stored_messages(connection: psycopg.Connection) -> dict[str, KeptMessage]:
    """Every message in the table by its id. Raises `psycopg.Error`."""
    return {row[0]: KeptMessage(*row) for row in connection.execute(_ALL)}
