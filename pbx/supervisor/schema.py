"""Bring a database to the schema of this version."""

from __future__ import annotations

import psycopg
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from psycopg import sql

from pbx.supervisor.cluster import DATABASE, Cluster


def create_database(cluster: Cluster) -> None:
    """Make the product's database in a new cluster."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as server:
        found = server.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
        ).fetchone()
        if not found:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def migrate() -> bool:
    """Apply the migrations that are missing; returns whether there were any.

    Two processes that start together (several machines, one database) take turns.
    """
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('branchline.migrate'))")
        try:
            call_command("migrate", interactive=False, verbosity=0)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext('branchline.migrate'))")
    return True


def server_version() -> int:
    """The major version of the Postgres that Django's connection reaches."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        return int(cursor.fetchone()[0]) // 10000
