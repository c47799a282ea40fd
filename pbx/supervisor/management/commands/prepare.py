"""`manage.py prepare`: the schema, the first domain and account, the certificate. Safe to repeat.

The supervisor runs it before the parts, a production set-up once at each start. What it made is
printed as one JSON object on stdout: `domain`, `admin_password` (a generated one-time password,
or null), `demo` (pairs of number and password, null when the extension was there already) and
`new_authority` (whether a certificate authority was made). What went wrong is one line on stderr.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from typing import Final

import psycopg
import redis
from django.core.management.base import BaseCommand
from django.db import OperationalError, connection
from django.db.utils import DatabaseError

from pbx.certificates.keeping import Kept, keep
from pbx.certificates.names import names_of
from pbx.directory import actions
from pbx.directory.models import Domain, Extension
from pbx.environment import Environment, current
from pbx.settings import REDIS_URL
from pbx.supervisor import data_dir, schema
from pbx.supervisor.cluster import PostgresTrouble

_POSTGRES_OLDEST: Final = 14
_DEMO: Final = (("1001", "Alice"), ("1002", "Bob"), ("1003", "Charlie"))


class Command(BaseCommand):
    help = "Bring the database to this version's schema and make what a first start needs."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="add extensions 1001-1003")

    def handle(self, *args: object, demo: bool, **options: object) -> None:
        environment = current()
        _check_redis()
        try:
            if environment.database_is_embedded:
                schema.create_database(data_dir.cluster_of(environment, None))
            connection.ensure_connection()
        except (OperationalError, psycopg.OperationalError) as error:
            raise SystemExit(_unreachable(error)) from error
        if schema.server_version() < _POSTGRES_OLDEST:
            raise SystemExit(
                "DATABASE_URL: this Postgres is too old; give one of version 14 or later"
            )
        try:
            schema.migrate()
            domain = actions.ensure_default_domain(environment.default_domain)
            password = actions.ensure_admin(environment.admin_password or None)
            made = [_demo_extension(domain, *each) for each in _DEMO] if demo else []
        except PostgresTrouble as trouble:
            raise SystemExit(str(trouble)) from trouble
        except DatabaseError as error:
            raise SystemExit(f"the database refuses: {str(error).strip()}") from error
        kept = _keep_certificate(environment, domain)
        facts = {
            "domain": domain.name,
            "admin_password": password,
            "demo": made,
            "new_authority": kept is Kept.AUTHORITY,
        }
        sys.stdout.write(json.dumps(facts) + "\n")


def _keep_certificate(environment: Environment, domain: Domain) -> Kept:
    if environment.tls_cert:
        return Kept.NOTHING
    directory = environment.data_dir / "tls"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = names_of(environment, domain.name)
    return keep(directory, names, datetime.datetime.now(datetime.UTC))


def _check_redis() -> None:
    if not REDIS_URL:
        return
    try:
        with redis.Redis.from_url(REDIS_URL, socket_connect_timeout=5) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        raise SystemExit(
            f"REDIS_URL: Redis does not answer: {error}; check host and port"
        ) from error


def _unreachable(error: Exception) -> str:
    reason = str(error).strip().partition("\n")[0]
    return f"DATABASE_URL: the database does not answer: {reason}"


def _demo_extension(domain: Domain, number: str, name: str) -> tuple[str, str | None]:
    if Extension.objects.filter(domain=domain, number=number).exists():
        return number, None
    password = actions.generate_password()
    extension = actions.add_extension(domain, number, name=name)
    actions.set_extension_password(extension, password)
    return number, password
