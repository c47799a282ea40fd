"""Room on the disk of the data directory. A disk that is full stops registrations and the database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

LOW: Final = 100_000_000
"""Bytes. Below, an operator should act: Postgres takes 16 MB at once, each part's log up to 50 MB."""


def free_bytes(directory: Path) -> int | None:
    """How much a normal user may still write there; None if there is no such directory."""
    try:
        status = os.statvfs(directory)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize


def megabytes(size: int) -> str:
    return f"{size // 1_000_000} MB"


def check_writable(directory: Path) -> None:
    """Raise the OSError that a new file meets there: permissions, or a disk mounted to be read only."""
    probe = directory / f".writable-{os.getpid()}"
    os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    probe.unlink()
