"""A part's log: what it says on stdout and stderr, in files of limited size.

A disk that is full costs the lines that do not fit and nothing else: the pipe goes on being read, for
a part whose stderr is closed would fail at each line it says.
"""

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
        self._lost = 0  # bytes since something was written last
        self._why = b""
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._write(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._tail.extend(lines)
        self._partial = self._partial[-_LINE_MAX:]

    def _write(self, data: bytes) -> None:
        note = b"\n(%d bytes could not be written: %b)\n" % (self._lost, self._why)
        rest = memoryview(note + data if self._lost else data)
        try:
            if self._size + len(rest) > FILE_MAX:
                self._rotate()
            while rest:
                written = self._file.write(rest)
                self._size += written
                rest = rest[written:]
        except OSError as error:
            self._lost += min(len(rest), len(data))
            self._why = os.strerror(error.errno or 0).encode()
        else:
            self._lost = 0

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
        for number in range(FILES_KEPT - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = (
                self._path.with_name(f"{self._path.name}.{number - 1}")
                if number > 1
                else self._path
            )
            if newer.exists():
                os.replace(newer, older)
        full, self._file = self._file, self._path.open("ab", buffering=0)
        full.close()
        self._size = 0
