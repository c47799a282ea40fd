"""A part's log: what it says on stdout and stderr, in files of limited size."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from pathlib import Path
from typing import Final

FILE_MAX: Final = 10 * 1024 * 1024
FILES_KEPT: Final = 5  # the newest and four older: 50 MB a part at most
_TAIL_LINES: Final = 12
_LINE_MAX: Final = 2000  # characters of a line that is shown again


class LogFile(asyncio.Protocol):
    """Copies a pipe into `path`, and remembers the last lines for the one who asks why it ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self._tail: deque[bytes] = deque(maxlen=_TAIL_LINES)
        self._partial = b""
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        if self._size + len(data) > FILE_MAX:
            self._rotate()
        self._file.write(data)
        self._size += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._tail.extend(lines)
        self._partial = self._partial[-_LINE_MAX:]

    def connection_lost(self, error: Exception | None) -> None:
        self._file.close()
        self.ended.set()

    @property
    def tail(self) -> list[str]:
        lines = [*self._tail, self._partial]
        return [
            text for line in lines if (text := line[:_LINE_MAX].decode(errors="replace").strip())
        ]

    def _rotate(self) -> None:
        self._file.close()
        for number in range(FILES_KEPT - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = (
                self._path.with_name(f"{self._path.name}.{number - 1}")
                if number > 1
                else self._path
            )
            if newer.exists():
                os.replace(newer, older)
        self._file = self._path.open("ab", buffering=0)
        self._size = 0
