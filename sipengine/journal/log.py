"""The journal: an append-only log of facts on disk, written before anything is acknowledged.

Plain blocking functions: the engine encodes facts on its loop and calls `write` in a thread, one
group commit at a time; the recorder (pbx.enginelink) reads whole lines in order and carries them
to Postgres. docs/decisions/0002-journal-first.md says why.

On disk, in a directory of mode 0700:
    journal.id            the journal's UUID, by which Postgres remembers how far it was carried
    journal.lock          held by the one process that has the journal open
    000000000001.journal  segments, numbered without end; files of mode 0600

`lines` says what a line is, `files` what the directory holds, this module reads and appends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sipengine.journal.files import (
    cut_torn_tail,
    identity_of,
    pread,
    segment_name,
    segments_of,
    sync_directory,
)
from sipengine.journal.lines import START, JournalError, JournalFull, Line, Position, parse

SEGMENT_BYTES: Final = 8 * 1024 * 1024
"""A shipped segment is removed whole: small enough to free the disk soon, large enough to be rare."""

LIMIT_BYTES: Final = 4 * 1024 * 1024 * 1024
"""How much may wait for the database: over two hours at 1,000 bindings a second of 500 bytes."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Journal:
    """An open journal. One thread writes at a time; any other may read, and `release` what it read."""

    def __init__(
        self,
        directory: Path,
        identity: uuid.UUID,
        segments: dict[int, int],
        lock_fd: int,
        segment_bytes: int,
        limit_bytes: int,
    ) -> None:
        self.directory = directory
        self.id = identity
        self._sizes = segments  # segment number -> bytes written
        self._lock_fd = lock_fd
        self._segment_bytes = segment_bytes
        self._limit_bytes = limit_bytes
        self._writing = threading.Lock()  # held over a disk flush: for the writer alone
        self._guard = threading.Lock()  # of _sizes, _held and _end: held for moments only
        self._fd = -1
        self._unclean = False  # the active segment may hold bytes after its synced end
        number = max(segments, default=0)
        self._end = Position(number, segments.get(number, 0))
        self._held = sum(segments.values())
        self.lines_written = 0

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        limit_bytes: int = LIMIT_BYTES,
    ) -> Journal:
        """Open the journal in `directory`, making it if need be, and cut off a torn tail.

        Raises `JournalError` if the directory cannot be used or another process has it open.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chmod(directory, 0o700)
            lock_fd = os.open(directory / "journal.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise JournalError(
                f"The journal {directory} cannot be opened: {error.strerror}."
            ) from error
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            identity = identity_of(directory)
            segments = segments_of(directory)
            if segments:
                last = max(segments)
                segments[last] = cut_torn_tail(directory / segment_name(last))
        except BlockingIOError as error:
            os.close(lock_fd)
            raise JournalError(f"The journal {directory} is in use by another engine.") from error
        except OSError as error:
            os.close(lock_fd)
            raise JournalError(
                f"The journal {directory} cannot be opened: {error.strerror}."
            ) from error
        except JournalError:
            os.close(lock_fd)
            raise
        return cls(directory, identity, segments, lock_fd, segment_bytes, limit_bytes)

    # ------------------------------------------------------------------ writing

    @property
    def end(self) -> Position:
        """The position after the last line that is written."""
        return self._end

    def write(self, lines: list[bytes], sync: bool = True) -> Position:
        """Append `lines` (from `encode`) and return the new end once they are on disk. Blocks.

        Without `sync` the system may keep them in memory until the next write with it: they
        outlive this process, but not a power failure. All or nothing: raises `JournalFull` (disk
        or limit) or `JournalError` (disk failed) with the segment truncated to where it was, so
        that the caller may refuse what it asked for.
        """
        data = b"".join(lines)
        if not data:
            return self._end
        with self._writing:
            if self._held + len(data) > self._limit_bytes:
                raise JournalFull(
                    f"The journal holds {self._held} bytes that the database has not taken,"
                    f" its limit is {self._limit_bytes}."
                )
            try:
                self._make_room(len(data))
                self._append(data, sync)
            except OSError as error:
                self._truncate()
                full = error.errno in _FULL
                raise (JournalFull if full else JournalError)(
                    f"The journal {self.directory} cannot be written: {error.strerror}."
                ) from error
            number, offset = self._end
            self._set_end(Position(number, offset + len(data)))
            self.lines_written += len(lines)
            return self._end

    def sync(self) -> None:
        """Flush to disk what was written without `sync`. Blocks; raises OSError."""
        with self._writing:
            if self._fd >= 0:
                os.fdatasync(self._fd)

    def _set_end(self, end: Position) -> None:
        with self._guard:
            self._held += end.offset - self._sizes.get(end.segment, 0)
            self._sizes[end.segment] = end.offset
            self._end = end

    def _append(self, data: bytes, sync: bool) -> None:
        self._unclean = True
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        if sync:
            os.fdatasync(self._fd)
        self._unclean = False

    def _truncate(self) -> None:
        """Take back what a failed write left. If even that fails, the next write tries again."""
        if not self._unclean or self._fd < 0:
            return
        try:
            os.ftruncate(self._fd, self._end.offset)
            os.fdatasync(self._fd)
        except OSError:
            return
        self._unclean = False

    def _make_room(self, size: int) -> None:
        """Have a clean segment open that takes `size` more bytes, a new one if the last is full."""
        if self._fd < 0 and self._end.segment:
            path = self.directory / segment_name(self._end.segment)
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        if self._unclean:
            os.ftruncate(self._fd, self._end.offset)
            os.fdatasync(self._fd)
            self._unclean = False
        if self._fd < 0 or (self._end.offset and self._end.offset + size > self._segment_bytes):
            self._start_segment(self._end.segment + 1)

    def _start_segment(self, number: int) -> None:
        path = self.directory / segment_name(number)
        # A file of that number can only be what a failed start of a segment left: it holds nothing.
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            sync_directory(self.directory)
        except OSError:
            os.close(fd)
            raise
        if self._fd >= 0:
            os.fdatasync(self._fd)
            os.close(self._fd)
        self._fd = fd
        self._set_end(Position(number, 0))

    def move_past(self, position: Position) -> None:
        """Go on after `position` if the journal ends before it (it came from an older backup).

        Without this, new lines would take positions that count as carried already.
        """
        with self._writing:
            if self._end < position:
                try:
                    self._start_segment(position.segment + 1)
                except OSError as error:
                    raise JournalError(
                        f"The journal {self.directory} cannot be written: {error.strerror}."
                    ) from error

    # ------------------------------------------------------------------ reading

    def batch(self, start: Position, max_lines: int, max_bytes: int) -> list[Line]:
        """Return the next whole lines after `start`, at most so many and about so many bytes.

        Only lines that were written whole; empty when there is none yet. Lines of one batch are
        of one segment. A line longer than `max_bytes` comes alone.
        """
        end = self._end
        number, offset = start
        while (number, offset) < end:
            size = self._size(number)
            if offset >= size:
                following = self._following(number)
                if following is None:
                    break
                number, offset = following, 0
                continue
            lines = self._lines(number, offset, size, max_lines, max_bytes)
            if lines:
                return lines
            offset = size
        return []

    def _lines(
        self, number: int, offset: int, size: int, max_lines: int, max_bytes: int
    ) -> list[Line]:
        wanted = max_bytes
        while True:
            data = pread(self.directory / segment_name(number), min(wanted, size - offset), offset)
            cut = data.rfind(b"\n") + 1
            if cut or len(data) < wanted:
                break
            wanted *= 2
        if not cut:
            return []
        found: list[Line] = []
        for raw in data[: cut - 1].split(b"\n", max_lines)[:max_lines]:
            offset += len(raw) + 1
            found.append(parse(raw, Position(number, offset)))
        return found

    def read(self, start: Position = START) -> Iterator[Line]:
        """Iterate over all lines after `start` that are on disk now, in order."""
        end = self._end
        while lines := self.batch(start, 10_000, 1024 * 1024):
            for line in lines:
                if line.end > end:
                    return
                yield line
            start = lines[-1].end

    def _size(self, number: int) -> int:
        with self._guard:
            return self._sizes.get(number, 0)

    def _following(self, number: int) -> int | None:
        with self._guard:
            return min((n for n in self._sizes if n > number), default=None)

    # ------------------------------------------------------------------ bookkeeping

    def release(self, position: Position) -> None:
        """Remove the segments that lie wholly before `position`. Raises `JournalError`."""
        with self._guard:
            keep = min(position.segment, self._end.segment)
            carried = sorted(number for number in self._sizes if number < keep)
        for number in carried:
            try:
                (self.directory / segment_name(number)).unlink(missing_ok=True)
            except OSError as error:
                raise JournalError(
                    f"A journal segment cannot be removed: {error.strerror}."
                ) from error
            with self._guard:
                self._held -= self._sizes.pop(number)

    def pending_bytes(self, position: Position) -> int:
        """How many bytes on disk come after `position`."""
        with self._guard:
            after = sum(size for number, size in self._sizes.items() if number > position.segment)
            return after + max(0, self._sizes.get(position.segment, 0) - position.offset)

    def counters(self) -> dict[str, int]:
        """Bytes and segments on disk, lines written since the journal was opened."""
        with self._guard:
            return {
                "journal_bytes": self._held,
                "journal_segments": len(self._sizes),
                "journal_lines_written": self.lines_written,
            }

    def close(self) -> None:
        """Let go of the files. What was written is on disk already."""
        with self._writing:
            for fd in (self._fd, self._lock_fd):
                if fd >= 0:
                    os.close(fd)
            self._fd = self._lock_fd = -1
