"""One holder a data directory. The kernel lets go of the lock when its holder ends, however."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

SUPERVISOR: Final = "supervisor"
COMMAND: Final = "command"


class Held(Exception):
    """Somebody else holds the lock: `role` (supervisor or command) and `pid`, as it wrote them."""

    def __init__(self, role: str, pid: str) -> None:
        super().__init__(f"{role} {pid}")
        self.role = role
        self.pid = pid


class DataDirLock:
    """An exclusive lock on `data_dir/lock`, held until `release` or the end of the process."""

    def __init__(self, data_dir: Path, role: str) -> None:
        """Take the lock at once or raise `Held`."""
        self._descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            words = os.pread(self._descriptor, 100, 0).decode(errors="replace").split()
            os.close(self._descriptor)
            role_of_holder, pid = words if len(words) == 2 else (SUPERVISOR, "?")
            raise Held(role_of_holder, pid) from None
        with contextlib.suppress(OSError):  # a full disk: held all the same, only not told by whom
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{role} {os.getpid()}\n".encode(), 0)

    @classmethod
    def wait(cls, data_dir: Path, role: str, patience: float) -> DataDirLock:
        """Take the lock; while a command (not a supervisor) holds it, wait up to `patience` s."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return cls(data_dir, role)
            except Held as held:
                if held.role == SUPERVISOR or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def release(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
