"""Who runs below a process, from /proc: pid, parent, command line, memory."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process at the moment when it was seen; `began` tells it from a later one of its pid."""

    pid: int
    parent: int
    began: int
    command: str

    def is_running(self) -> bool:
        now = look_at(self.pid)
        return now is not None and now.began == self.began

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it in mid-air (SIGSTOP): it is there, but answers nothing; then it can be killed."""
        os.kill(self.pid, signal.SIGSTOP)

    def memory(self) -> int:
        """Resident bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def look_at(pid: int) -> Process | None:
    """The process of that pid, None if there is none (or only its unburied remains)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may itself hold spaces and parentheses (proc(5)).
    fields = stat.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None
    return Process(pid, int(fields[1]), int(fields[19]), command)


def descendants(pid: int) -> list[Process]:
    """Every process below that one, near and far."""
    everyone = [look_at(int(name)) for name in os.listdir("/proc") if name.isdigit()]
    children: dict[int, list[Process]] = {}
    for process in everyone:
        if process is not None:
            children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    waiting = [pid]
    while waiting:
        for process in children.get(waiting.pop(), []):
            found.append(process)
            waiting.append(process.pid)
    return found
