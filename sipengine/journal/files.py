"""The journal's directory: its identity, its numbered segments, and what must be on disk when."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Final

from sipengine.journal.lines import KIND_DAMAGED, START, JournalError, parse

SUFFIX: Final = ".journal"


def segment_name(number: int) -> str:
    return f"{number:012d}{SUFFIX}"


def segments_of(directory: Path) -> dict[int, int]:
    found = (path for path in directory.iterdir() if path.suffix == SUFFIX and path.stem.isdigit())
    return {int(path.stem): path.stat().st_size for path in found}


def identity_of(directory: Path) -> uuid.UUID:
    path = directory / "journal.id"
    try:
        return uuid.UUID(path.read_text("ascii").strip())
    except FileNotFoundError:
        pass
    except ValueError as error:
        raise JournalError(f"{path} does not hold a UUID.") from error
    identity = uuid.uuid4()
    fresh = directory / "journal.id.new"
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, f"{identity}\n".encode("ascii"))
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.rename(path)
    sync_directory(directory)
    return identity


def cut_torn_tail(path: Path) -> int:
    """Truncate `path` after its last sound line, have it on disk, and return its size."""
    data = path.read_bytes()
    end = len(data)
    while end:
        newline = data.rfind(b"\n", 0, end)
        if newline < 0:
            end = 0
            break
        start = data.rfind(b"\n", 0, newline) + 1
        if parse(data[start:newline], START).kind != KIND_DAMAGED:
            end = newline + 1
            break
        end = start
    fd = os.open(path, os.O_WRONLY)
    try:
        if end != len(data):
            os.ftruncate(fd, end)
        # A killed process may have written lines that it did not come to sync.
        os.fsync(fd)
    finally:
        os.close(fd)
    return end


def pread(path: Path, size: int, offset: int) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY)
        try:
            return os.pread(fd, size, offset)
        finally:
            os.close(fd)
    except OSError as error:
        raise JournalError(f"The journal {path} cannot be read: {error.strerror}.") from error


def sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
