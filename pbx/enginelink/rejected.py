"""Where journal lines go that Postgres will never take: a file beside the journal, for a person."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from sipengine.journal import Line

LIMIT_BYTES: Final = 64 * 1024 * 1024
"""Beyond that, more of the same tells nobody anything new; lines are then only counted."""


class Rejected:
    """The file `rejected.jsonl`: one object a line, with the reason and the fact as it was."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "rejected.jsonl"
        self.count = 0

    def put_aside(self, line: Line, reason: str) -> None:
        """Append `line` and have it on disk on return. Raises `OSError`."""
        self.count += 1
        entry = {
            "segment": line.end.segment,
            "end": line.end.offset,
            "reason": reason,
            "line": line.payload.decode("utf-8", "backslashreplace"),
        }
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if os.fstat(fd).st_size < LIMIT_BYTES:
                os.write(fd, msgspec.json.encode(entry) + b"\n")
                os.fsync(fd)
        finally:
            os.close(fd)
