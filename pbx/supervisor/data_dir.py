"""The data directory: what lies where in it, who owns it, and the two secrets made at first start."""

from __future__ import annotations

import errno
import hashlib
import os
import pwd
import secrets
import stat
from pathlib import Path
from typing import Final

from pbx.disk import LOW, check_writable, free_bytes, megabytes
from pbx.environment import Environment
from pbx.supervisor.cluster import Cluster
from pbx.supervisor.identity import Identity

ROOM_AT_FIRST: Final = 80_000_000  # bytes: a new database takes 45, and it must begin to work
ROOM: Final = 4_000_000  # bytes: lock files, sockets, a little log
_SOCKET_PATH_MAX: Final = 107  # bytes: sun_path in unix(7), less its terminating zero
_LONGEST_SOCKET: Final = ".s.PGSQL.5432.lock"


class DataDirTrouble(Exception):
    """The data directory cannot be used; the text says why and what to do."""


def make(data_dir: Path) -> None:
    """Make the directory itself, so that its lock can be taken. Raises `DataDirTrouble` if it, its
    disk or its owner is such that nothing could be done there."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        check_writable(data_dir)
    except OSError as error:
        raise DataDirTrouble(
            f"PBX_DATA_DIR={data_dir}: cannot be written: {error.strerror}; {_remedy(error)}"
        ) from error
    if foreign := _foreign(data_dir):
        raise DataDirTrouble(
            f"PBX_DATA_DIR={data_dir}: {foreign}; start it as that user or as root, "
            "or give a directory that this user owns"
        )


def check_room(data_dir: Path) -> str:
    """Returns a warning when there is little room on its disk, "" when there is enough. Raises
    `DataDirTrouble` when there is too little to start with."""
    free = free_bytes(data_dir)
    if free is None or free >= LOW:
        return ""
    at_first = not (data_dir / "postgres" / "global" / "pg_control").exists()
    least = ROOM_AT_FIRST if at_first else ROOM
    told = f"PBX_DATA_DIR={data_dir}: its disk has {megabytes(free)} left"
    if free < least:
        raise DataDirTrouble(
            f"{told} and a {'first ' if at_first else ''}start takes {megabytes(least)}; "
            "make room, or give a directory on another disk"
        )
    return f"{told}; make room soon: when it is full, registrations are refused"


def _remedy(error: OSError) -> str:
    match error.errno:
        case errno.EROFS:
            return "mount its disk for writing, or give a directory on another one"
        case errno.ENOSPC | errno.EDQUOT:
            return "make room, or give a directory on another disk"
        case _:
            return "give a directory that this user owns"


def _foreign(data_dir: Path) -> str:
    """Whose the data is, if this user cannot use it; "" if she can. Root can use anybody's."""
    if os.geteuid() == 0:
        return ""
    for name in ("lock", "secrets", "journal", "tls", "log", "postgres"):
        try:
            owner = (data_dir / name).stat().st_uid
        except FileNotFoundError:
            continue
        if owner != os.geteuid():
            return f"its {name} belongs to {_user_name(owner)}"
    return ""


def _user_name(number: int) -> str:
    try:
        return f"the user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user number {number}"


def furnish(environment: Environment, servers: Identity | None, parts: Identity | None) -> None:
    """Make what the processes need before they start. Call with the lock held.

    `servers` is who Postgres and Valkey run as, `parts` who everything else does; None is whoever
    runs this. Secrets are readable by `parts` alone.
    """
    data_dir = environment.data_dir
    if servers:
        data_dir.chmod(stat.S_IMODE(data_dir.stat().st_mode) | 0o011)  # enter, not list
    for name in ("secrets", "journal", "tls"):
        _private(data_dir / name, parts)
    _private(data_dir / "log", None)
    _store_once(environment.database_password_file, secrets.token_urlsafe(24), parts)
    _store_once(environment.secret_key_file, secrets.token_urlsafe(48), parts)
    _private(data_dir / "valkey", servers)
    _place_run_dir(data_dir, servers)


def cluster_of(environment: Environment, servers: Identity | None) -> Cluster:
    """The embedded Postgres of a furnished data directory."""
    return Cluster(
        data=environment.data_dir / "postgres",
        run=environment.run_dir,
        password=environment.database_password_file.read_text(encoding="utf-8").strip(),
        identity=servers,
    )


def clear_run_dir(environment: Environment) -> None:
    """Remove the sockets' directory when nothing is in it any more; it may lie outside the data."""
    try:
        environment.run_dir.rmdir()
    except OSError:  # a server that had to be killed left its socket: the next start takes it
        return


def _private(directory: Path, owner: Identity | None) -> None:
    directory.mkdir(exist_ok=True)
    directory.chmod(0o700)
    if owner:
        owner.own(directory)
    elif os.geteuid() == 0:
        os.chown(directory, 0, 0)


def _store_once(file: Path, value: str, owner: Identity | None) -> None:
    """Write a secret into `file` unless it has one; it is there whole or not at all."""
    if not file.exists():
        unfinished = file.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(value + "\n")
            out.flush()
            os.fsync(descriptor)
        unfinished.rename(file)
    if owner:
        owner.own(file)


def _place_run_dir(data_dir: Path, servers: Identity | None) -> None:
    """Make the directory of the sockets: in the data directory, or, when its path is too long for
    a socket or closed to the servers' user, a short one elsewhere with a link to it."""
    link = data_dir / "run"
    own = data_dir.resolve() / "run"
    fits = len(os.fsencode(own / _LONGEST_SOCKET)) <= _SOCKET_PATH_MAX
    if fits and (servers is None or servers.reaches([("x", data_dir.resolve())])):
        if link.is_symlink():
            link.unlink()
        _sockets(own, servers)
        return
    base = (
        Path("/run/branchline")
        if os.geteuid() == 0 and os.access("/run", os.W_OK)
        else Path(f"/tmp/branchline-{os.geteuid()}")  # noqa: S108 - checked below: ours, not a link
    )
    base.mkdir(mode=0o711, exist_ok=True)
    status = base.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise DataDirTrouble(
            f"{base} belongs to somebody else or others may write to it; remove it, "
            "or give a PBX_DATA_DIR with a path shorter than 80 characters"
        )
    elsewhere = base / hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    _sockets(elsewhere, servers)
    if link.is_symlink() or link.exists():
        if link.is_symlink():
            link.unlink()
        else:
            for stale in link.iterdir():
                stale.unlink()
            link.rmdir()
    link.symlink_to(elsewhere)


def _sockets(directory: Path, servers: Identity | None) -> None:
    directory.mkdir(exist_ok=True)
    # Others may pass through to a socket; the database asks them for a password, Valkey's is closed.
    directory.chmod(0o711 if servers else 0o700)
    if servers:
        servers.own(directory)
