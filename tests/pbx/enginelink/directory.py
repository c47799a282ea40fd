"""Rows of the configuration, written by plain SQL: the triggers must see whoever writes."""

from __future__ import annotations

import psycopg


def add_domain(
    connection: psycopg.Connection, name: str, mode: str = "proxy", default: bool = False
) -> int:
    row = connection.execute(
        "INSERT INTO directory_domain (name, mode, is_default) VALUES (%s, %s, %s) RETURNING id",
        (name, mode, default),
    ).fetchone()
    assert row
    return int(row[0])


def add_extensions(connection: psycopg.Connection, domain: str, first: int, count: int) -> None:
    """Extensions numbered from `first`, each with a credential."""
    connection.execute(
        "INSERT INTO directory_extension (domain_id, number, name, enabled, max_contacts, ring_timeout,"
        " forward_always, forward_busy, forward_no_answer, forward_no_answer_after)"
        " SELECT d.id, n::text, 'Name ' || n, true, 10, 60, '', '', '', 20"
        " FROM directory_domain d, generate_series(%s::int, %s) n WHERE d.name = %s",
        (first, first + count - 1, domain),
    )
    connection.execute(
        "INSERT INTO directory_credential (extension_id, realm, ha1_md5, ha1_sha256, changed_at)"
        " SELECT e.id, d.name, md5(e.number), sha256(e.number::bytea), now()"
        " FROM directory_extension e JOIN directory_domain d ON d.id = e.domain_id"
        " WHERE NOT EXISTS (SELECT FROM directory_credential c WHERE c.extension_id = e.id)".replace(
            "sha256(e.number::bytea)", "encode(sha256(e.number::bytea), 'hex')"
        ),
    )


def add_rule(
    connection: psycopg.Connection, domain: str, name: str, position: int, *targets: str
) -> None:
    connection.execute(
        "WITH r AS (INSERT INTO routing_rule (domain_id, position, enabled, name, called, action,"
        " strategy, timeout, status, reason, follow_redirects)"
        " SELECT id, %s, true, %s, '15*', 'forward', 'simultaneous', 20, 480, '', false"
        " FROM directory_domain WHERE name = %s RETURNING id)"
        " INSERT INTO routing_target (rule_id, position, destination)"
        " SELECT r.id, t.place, t.destination FROM r,"
        " unnest(%s::text[]) WITH ORDINALITY AS t (destination, place)",
        (position, name, domain, list(targets)),
    )
