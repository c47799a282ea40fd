"""Connections of the engine's two database threads: own, quick to notice a dead server."""

from __future__ import annotations

from typing import Final

import psycopg

CONNECT_S: Final = 5
"""How long connecting may take; libpq counts whole seconds."""


def connect(database_url: str, purpose: str) -> psycopg.Connection:
    """Open an autocommit connection. Raises `psycopg.Error`.

    A server that vanished without a word (cable, firewall) is given up after about 20 s, a lock
    that someone holds after 5 s, a statement after 30 s: each is then tried again.
    """
    connection = psycopg.connect(
        database_url,
        autocommit=True,
        connect_timeout=CONNECT_S,
        application_name=f"branchline-engine-{purpose}",
        keepalives_idle=10,
        keepalives_interval=3,
        keepalives_count=3,
        tcp_user_timeout=20_000,
    )
    try:
        connection.execute("SET lock_timeout = '5s'")
        connection.execute("SET statement_timeout = '30s'")
    except BaseException:
        connection.close()
        raise
    return connection


def sentence(error: psycopg.Error) -> str:
    """What the database said, on one line, without the values it was about."""
    text = error.diag.message_primary or str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__
