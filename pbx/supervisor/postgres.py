"""A database for one command, whether the PBX runs or not."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import OperationalError, connections

from pbx.environment import Environment, current
from pbx.settings import database
from pbx.supervisor import data_dir, schema
from pbx.supervisor.cluster import START_DEADLINE, Cluster, PostgresTrouble
from pbx.supervisor.identity import service_identity
from pbx.supervisor.lock import COMMAND, DataDirLock, Held
from pbx.supervisor.placement import parts_identity

_PATIENCE: Final = 60.0  # seconds to wait for another command, or for a PBX that is starting


@contextmanager
def running() -> Iterator[None]:
    """Make sure that Django's default database can be used in this block.

    An external database or one that a running PBX has is used as it is. Otherwise the embedded
    server is started, brought to the present schema, and stopped at the end of the block.

    Raises `PostgresTrouble`, `DataDirTrouble` or `ProgramMissing`, whose text tells the user.
    """
    environment = current()
    if not environment.database_is_embedded:
        _use(environment)
        yield
        return
    data_dir.make(environment.data_dir)
    try:
        lock = DataDirLock.wait(environment.data_dir, COMMAND, _PATIENCE)
    except Held:
        _wait_for_the_pbx(environment)
        _use(environment)
        yield
        return
    with lock:
        data_dir.check_room(environment.data_dir)
        servers = service_identity()
        data_dir.furnish(environment, servers, parts_identity(environment, servers).identity)
        cluster = data_dir.cluster_of(environment, servers)
        server = _start(cluster)
        try:
            schema.create_database(cluster)
            _use(environment)
            schema.migrate()
            yield
        finally:
            connections.close_all()
            cluster.stop()
            server.wait(timeout=10)
            data_dir.clear_run_dir(environment)


def _start(cluster: Cluster) -> subprocess.Popen[bytes]:
    cluster.stop()
    cluster.initialise()
    log = (cluster.data.parent / "log" / "postgres.log").open("ab")
    with log:
        server = subprocess.Popen(
            cluster.command(), stdout=log, stderr=log, **cluster.popen_options
        )
    deadline = time.monotonic() + START_DEADLINE
    while not cluster.is_ready:
        if server.poll() is not None or time.monotonic() > deadline:
            cluster.stop()
            *_, last = ["", *Path(log.name).read_text(errors="replace").splitlines()]
            raise PostgresTrouble(f"the database does not start: {last or 'no word'} ({log.name})")
        time.sleep(0.01)
    return server


def _wait_for_the_pbx(environment: Environment) -> None:
    """A PBX that is just starting has a database in a moment."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        password = environment.database_password_file
        if password.exists() and data_dir.cluster_of(environment, None).is_ready:
            return
        time.sleep(0.05)
    raise PostgresTrouble("the PBX runs but its database does not answer; see its log directory")


def _use(environment: Environment) -> None:
    """Point Django at the database: when it read its settings there may have been none."""
    settings.DATABASES["default"].update(database(environment.database_url))
    connection = connections["default"]
    connection.close()
    connection.settings_dict.update(settings.DATABASES["default"])
    try:
        connection.ensure_connection()
    except OperationalError as error:
        reason = str(error).strip().partition("\n")[0]
        raise PostgresTrouble(
            f"the database does not answer: {reason}; check DATABASE_URL"
            if environment.given_database_url
            else f"the embedded database does not answer: {reason}"
        ) from error
