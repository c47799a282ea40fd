"""Subscriptions in Postgres: how their journal lines become rows, and how rows become records again."""

from __future__ import annotations

from typing import Final, LiteralString

import psycopg

from sipengine.api import SubscriptionRecord

# A line tells a subscription and its end apart by `why`, which only an end has.
STORE: Final[LiteralString] = """
WITH facts AS MATERIALIZED (
    SELECT DISTINCT ON (id) *
    FROM ROWS FROM (json_to_recordset(%s::json) AS (
        id text, package text, event_id text, resource text, subscriber text, call_id text,
        local text, remote text, remote_tag text, target text, routes jsonb, cseq bigint,
        remote_cseq bigint, expires_at float8, transport text, received text, user_agent text,
        created_at float8, updated_at float8, kind text, why text
    )) WITH ORDINALITY AS line (
        id, package, event_id, resource, subscriber, call_id, local, remote, remote_tag, target,
        routes, cseq, remote_cseq, expires_at, transport, received, user_agent, created_at,
        updated_at, kind, why, place)
    ORDER BY id, place DESC
), gone AS (
    DELETE FROM subscriptions_subscription s USING facts f
    WHERE f.why IS NOT NULL AND s.id = f.id
)
INSERT INTO subscriptions_subscription (
    id, package, event_id, resource, subscriber, call_id, local, remote, remote_tag, target, routes,
    cseq, remote_cseq, expires_at, transport, received, user_agent, created_at, updated_at, kind)
SELECT id, package, event_id, resource, subscriber, call_id, local, remote, remote_tag, target,
    routes, cseq, remote_cseq, to_timestamp(expires_at), left(transport, 8), left(received, 64),
    user_agent, to_timestamp(created_at), to_timestamp(updated_at), coalesce(kind, '')
FROM facts WHERE why IS NULL
ON CONFLICT (id) DO UPDATE SET
    target = excluded.target, cseq = excluded.cseq, remote_cseq = excluded.remote_cseq,
    expires_at = excluded.expires_at, transport = excluded.transport, received = excluded.received,
    user_agent = excluded.user_agent, updated_at = excluded.updated_at, kind = excluded.kind
"""

_ALL: Final[LiteralString] = """
SELECT id, package, event_id, resource, subscriber, call_id, local, remote, remote_tag, target,
    routes, cseq, remote_cseq, extract(epoch FROM expires_at)::float8, transport, received,
    user_agent, extract(epoch FROM created_at)::float8, extract(epoch FROM updated_at)::float8, kind
FROM subscriptions_subscription
"""


def stored_subscriptions(connection: psycopg.Connection) -> dict[str, SubscriptionRecord]:
    """Every subscription in the table by its id, expired ones too. Raises `psycopg.Error`."""
    return {row[0]: SubscriptionRecord(*row) for row in connection.execute(_ALL)}
