"""The embedded Postgres: one cluster in the data directory, reached by a Unix socket only.

`Cluster` knows how to make, start, find and stop the server; the supervisor runs it as one of its
parts, and `pbx.supervisor.postgres.running` lends it to a single command.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pbx.supervisor.death import dies_with_parent
from pbx.supervisor.identity import Identity, popen_arguments
from pbx.supervisor.programs import postgres_programs

USER: Final = "pbx"
DATABASE: Final = "branchline"
START_DEADLINE: Final = 60.0  # seconds; crash recovery of a large write-ahead log takes a while
STOP_DEADLINE: Final = 8.0  # a fast stop ends sessions at once; only a checkpoint remains

# Sized for a small office on a small machine. `io_method=sync` saves three worker processes.
_SETTINGS: Final = {
    "listen_addresses": "",
    "shared_buffers": "64MB",
    "io_method": "sync",
    "max_connections": "60",
    "max_wal_size": "512MB",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
}


class PostgresTrouble(Exception):
    """The embedded server cannot be used; the text says why and what to do."""


@dataclass(slots=True)
class Cluster:
    """One Postgres cluster: its files in `data`, its socket in `run`, its password in a file."""

    data: Path
    run: Path
    password: str
    identity: Identity | None = None
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def socket(self) -> Path:
        return self.run / ".s.PGSQL.5432"

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://{USER}:{self.password}@/{database}?host={self.run}"

    @property
    def is_initialised(self) -> bool:
        # initdb writes pg_control among its last files: without it the directory is a torn one.
        return (self.data / "global" / "pg_control").exists()

    def initialise(self) -> None:
        """Make the cluster if there is none; a half-made one (initdb was killed) is made anew."""
        marker = self.data.with_name(self.data.name + ".new")
        if self.is_initialised and not marker.exists():
            return
        if self.data.exists():
            shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700, parents=True)
        marker.touch()
        if self.identity:
            os.chown(self.data, self.identity.uid, self.identity.gid)
        reading, writing = os.pipe()
        try:
            if self.identity:  # the new user may not open root's pipe as /dev/fd/N otherwise
                os.fchown(reading, self.identity.uid, self.identity.gid)
            os.write(writing, self.password.encode() + b"\n")
            os.close(writing)
            done = subprocess.run(
                [
                    str(self._binary("initdb")),
                    *("-D", self._data_argument, "-U", USER, "-E", "UTF8", "-N"),
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                    *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256"),
                    f"--pwfile=/dev/fd/{reading}",
                ],
                pass_fds=[reading],
                check=False,
                capture_output=True,
                text=True,
                **self._popen,
            )
        finally:
            os.close(reading)
        if done.returncode != 0:
            raise PostgresTrouble(
                f"the database could not be made in {self.data}: {done.stderr.strip()[-500:]}"
            )
        # -N skipped initdb's own flush of every file; one flush here makes the same promise.
        os.sync()
        marker.unlink()

    def command(self) -> list[str]:
        """The server's command line. Start it with `popen_options`."""
        settings = _SETTINGS | {"unix_socket_directories": str(self.run)} | self.settings
        words = [str(self._binary("postgres")), "-D", self._data_argument]
        for name, value in settings.items():
            words += ["-c", f"{name}={value}"]
        return words

    @property
    def popen_options(self) -> dict[str, Any]:
        """SIGINT is Postgres' fast stop: sessions end, nothing is lost."""
        return self._popen | {"preexec_fn": dies_with_parent(signal.SIGINT), "process_group": 0}

    def server_pid(self) -> int | None:
        """The pid of the server that holds this cluster now, or None.

        The file that names it outlives a killed server; a server's working directory is its
        cluster, which no other process that came by the number has.
        """
        lines = self._pid_file()
        if not lines:
            return None
        try:
            place = os.readlink(f"/proc/{int(lines[0])}/cwd")
        except (OSError, ValueError):
            return None
        return int(lines[0]) if place == os.path.realpath(self.data) else None

    @property
    def is_ready(self) -> bool:
        """Whether the server says that it takes connections (as pg_ctl -w finds out)."""
        lines = self._pid_file()
        return len(lines) >= 8 and lines[7].strip() == "ready" and self.server_pid() is not None

    def stop(self) -> None:
        """Stop the server that holds this cluster, whoever started it."""
        pid = self.server_pid()
        if pid is None:
            self._forget_killed_server()
            return
        for how, patience in ((signal.SIGINT, STOP_DEADLINE), (signal.SIGQUIT, 2.0)):
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                if self.server_pid() is None:
                    return
                time.sleep(0.02)
        raise PostgresTrouble(
            f"the database server {pid} does not stop; end it with: kill -9 {pid}"
        )

    def _forget_killed_server(self) -> None:
        """Remove the lock files of a server that was killed, if a process bears its number now.

        Postgres would take that process for a server and refuse to start. Most often it is the
        server's own remains: a zombie stays until its parent waits for it, which the first process
        of many a container never does. Sessions may outlive their server a little and must not
        meet a new one; as long as a process works in the cluster, the files stay.
        """
        locks = [self.data / "postmaster.pid", self.socket.with_name(f"{self.socket.name}.lock")]
        dead = [lock for lock in locks if _named_process(lock) is not None]
        if not dead:
            return
        deadline = time.monotonic() + STOP_DEADLINE
        while self._somebody_works_here():
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)
        for lock in dead:
            lock.unlink(missing_ok=True)

    def _somebody_works_here(self) -> bool:
        """Whether any process has the cluster as its working directory, as all of a server's have."""
        here = os.path.realpath(self.data)
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(process / "cwd") == here:
                    return True
            except OSError:
                continue  # ended meanwhile, a zombie, or another user's
        return False

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    @property
    def _popen(self) -> dict[str, Any]:
        # A fixed locale: the user's own may not exist on this machine, and initdb would stop at it.
        variables = {"PATH": os.defpath, "LC_ALL": "C"}
        return {"cwd": str(self.data), "env": variables, **popen_arguments(self.identity)}

    @property
    def _data_argument(self) -> str:
        """The data directory as the server names it.

        A root user's data directory may lie where the server's user cannot go by path (a home
        with mode 0700). The child enters it before it gives up being root, and from then on
        names it by the place where it stands.
        """
        if self.identity and not self.identity.reaches([("x", self.data)]):
            return "/proc/self/cwd"
        return str(self.data)

    def _binary(self, name: str) -> Path:
        return postgres_programs(self.identity) / name


def _named_process(lock: Path) -> int | None:
    """The number in a lock file's first line, if a process (or its remains) has that number."""
    try:
        pid = int(lock.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    return pid if Path(f"/proc/{pid}").exists() else None
