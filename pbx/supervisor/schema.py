"""Bring a database to the schema of this version."""

from __future__ import annotations

import psycopg
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from pbx.supervisor.cluster import DATABASE, Cluster, PostgresTrouble


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

    Raises `PostgresTrouble` for tables that a newer version has changed: there is no way back. Two processes that start together (several machines, one database) take turns.
    """
    executor = MigrationExecutor(connection)
    _refuse_newer(executor.loader)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('branchline.migrate'))")
        try:
            call_command("migrate", interactive=False, verbosity=0)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext('branchline.migrate'))")
    return True


def _refuse_newer(loader: MigrationLoader) -> None:
    known = set(loader.disk_migrations or ())
    known |= {old for new in loader.replacements.values() for old in new.replaces}
    unknown = sorted(set(loader.applied_migrations or ()) - known)
    if unknown:
        raise PostgresTrouble(
            "the database was used by a newer version of Branchline, which made "
            f"{'.'.join(unknown[-1])}; start that version, or restore the backup made before the upgrade"
        )


def server_version() -> int:
    """The major version of the Postgres that Django's connection reaches."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        return int(cursor.fetchone()[0]) // 10000
