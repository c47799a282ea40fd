"""Real Postgres for the link: a fresh migrated database a test, and a server a test may kill."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pbx.supervisor.cluster import Cluster
from pbx.supervisor.identity import service_identity
from tests.support.wait import until

PROJECT = Path(__file__).resolve().parents[3]
TEMPLATE = "enginelink_template"

# Django keeps defaults to itself; with plain ones the tests' SQL names only what it is about.
PLAIN_DEFAULTS = """
SELECT table_name, column_name,
       CASE data_type WHEN 'boolean' THEN 'false' WHEN 'character varying' THEN $$''$$ ELSE '0' END
FROM information_schema.columns
WHERE table_name ~ '^(directory_(domain|extension)|routing_rule)$' AND is_nullable = 'NO'
  AND column_default IS NULL AND is_identity = 'NO'
  AND data_type IN ('boolean', 'character varying', 'integer', 'smallint')
"""


def migrate(url: str) -> None:
    """Migrate the database at `url` as the product does, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v", "0", "--skip-checks"],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "pbx.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    with psycopg.connect(url, autocommit=True) as connection:
        for table, column, default in connection.execute(PLAIN_DEFAULTS).fetchall():
            connection.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {default}")


def make_database(cluster: Cluster, name: str, template: str = "template0") -> str:
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return cluster.url(name)


@pytest.fixture(scope="session")
def migrated_template(postgres_cluster: Cluster) -> str:
    migrate(make_database(postgres_cluster, TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(postgres_cluster: Cluster, migrated_template: str) -> Iterator[str]:
    """The URL of a migrated database of the test's own."""
    name = f"link_{uuid.uuid4().hex[:12]}"
    yield make_database(postgres_cluster, name, migrated_template)
    with psycopg.connect(postgres_cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


class KillableServer:
    """A Postgres of one's own, to be killed and started again. It commits as the product's does."""

    def __init__(self, home: Path) -> None:
        identity = service_identity()
        run = home / "run"
        run.mkdir()
        home.chmod(0o711)
        if identity:
            os.chown(run, identity.uid, identity.gid)
        self.log = home / "log"
        self.cluster = Cluster(home / "data", run, "test-password", identity)
        self.cluster.initialise()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.cluster.command(), stdout=log, stderr=log, **self.cluster.popen_options
            )
        until(self._answers, "Postgres", deadline=30, explain=self.log.read_text)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.cluster.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """kill -9 of the postmaster; its children notice and end."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.cluster.stop()
            self.process.wait(10)


@pytest.fixture
def killable() -> Iterator[KillableServer]:
    with tempfile.TemporaryDirectory(prefix="branchline-pg-") as home:
        server = KillableServer(Path(home))
        server.start()
        try:
            yield server
        finally:
            server.stop()
