"""Programs that a test starts: each writes to a log file and dies with the test run."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
FIRST = -10
"""A niceness that the product gives none of its own processes, so that it never waits for less."""


def die_with_parent() -> None:
    """For preexec_fn: SIGTERM comes when the process that started this one ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` with its output appended to `log` and no terminal on stdin."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=directory,
            process_group=0,
            preexec_fn=die_with_parent,
        )


def put_first(process: subprocess.Popen[bytes]) -> None:
    """Give it the processor before others, where this process may: in life a telephone is a machine of
    its own, and what else the tests start meanwhile makes no gaps in its sound."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, process.pid, FIRST)


def stop(process: subprocess.Popen[bytes], *, grace: float = 5.0) -> int:
    """End the process: politely, after `grace` seconds by force. Gives its exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def tail(log: Path, lines: int = 60) -> str:
    """The end of a log, for the message of a failure."""
    if not log.exists():
        return f"({log.name}: not there)"
    text = log.read_text(errors="replace").splitlines()
    return "\n".join([f"--- end of {log.name}", *text[-lines:]])
