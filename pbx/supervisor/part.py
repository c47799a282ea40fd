"""One part of the PBX: a process that is started, watched, started again, and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pbx.supervisor.cluster import PostgresTrouble
from pbx.supervisor.complaints import Complaints
from pbx.supervisor.death import dies_with_parent
from pbx.supervisor.log_file import LogFile

CONFIGURATION_STATUS: Final = 2
"""The exit status by which a part says that no restart will help: its configuration is wrong."""

BACKOFF_FIRST: Final = 0.1
BACKOFF_MAX: Final = 10.0  # a part that cannot live costs one start every ten seconds
STEADY: Final = 20.0  # seconds of life after which a death counts as the first one again
STARTS_AT_FIRST: Final = 4  # tries before READY; then the start has failed
READY_DEADLINE: Final = 90.0  # seconds; a slow machine's first start with nothing in its cache


class StartFailed(Exception):
    """A part did not come up at the first start; the text says which and its last words."""


@dataclass(frozen=True, slots=True)
class PartPlan:
    """How to run a part.

    `is_ready` is asked again and again until true. With `tells_ready` the process gets the number
    of a pipe in READY_FD, writes a line to it when it is ready, and closes it.
    `fresh_environment` is asked before each start for variables that add to `environment`.
    `niceness` is what the part's process gets; below 0 only where we may (as root).
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    is_ready: Callable[[], Awaitable[bool]] | None = None
    tells_ready: bool = False
    popen: Mapping[str, Any] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    dies_by: signal.Signals = signal.SIGKILL
    patience: float = 4.0  # seconds to stop in; with the servers' 3.5 it stays below ten
    before_start: Callable[[], None] | None = None
    fresh_environment: Callable[[], Mapping[str, str]] | None = None
    niceness: int = 0


class Part:
    """Keeps one process alive. `start` it once, `stop` it once."""

    def __init__(self, plan: PartPlan, say: Callable[[str], None]) -> None:
        self.plan = plan
        self._complaints = Complaints(plan.name, plan.log, say)
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._first_ready: asyncio.Future[float] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> float:
        """Start and wait for ready; returns the seconds it took. Raises `StartFailed`."""
        self._first_ready = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(), name=f"keeper of {self.plan.name}")
        self._keeper.add_done_callback(self._tell_defect)
        return await self._first_ready

    async def stop(self) -> None:
        """End the process: politely, after the plan's patience by force."""
        self._stopping = True
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self.plan.stop_signal)
        if self._keeper is None:
            return
        done, _ = await asyncio.wait([self._keeper], timeout=self.plan.patience)
        if not done:
            self._say(f"{self.plan.name} does not stop; killing it")
            self.kill()
            done, _ = await asyncio.wait([self._keeper], timeout=1.0)
            if not done:
                self._keeper.cancel()

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _keep(self) -> None:
        delay, begun_first = BACKOFF_FIRST, time.monotonic()
        failures = 0
        while not self._stopping:
            begun = time.monotonic()
            try:
                log, status = await self._live_once(begun_first)
            except (OSError, subprocess.SubprocessError, PostgresTrouble) as error:
                ending = f"cannot be started: {error}"
                if self._waits_for_first_ready():
                    self._fail(f"{self.plan.name} {ending}")
                    return
            else:
                if self._waits_for_first_ready() and (
                    status == CONFIGURATION_STATUS or failures + 1 >= STARTS_AT_FIRST
                ):
                    self._fail(_last_words(self.plan, status, log))
                    return
                ending = f"{_ending(status)} after {time.monotonic() - begun:.0f} s"
            if self._stopping:
                return
            failures = 1 if time.monotonic() - begun > STEADY else failures + 1
            delay = BACKOFF_FIRST if failures == 1 else min(delay * 2, BACKOFF_MAX)
            self._complaints.say(ending, delay, in_a_row=failures)
            await asyncio.sleep(delay)

    async def _live_once(self, begun: float) -> tuple[LogFile, int]:
        """Start the process, tell when it is ready, wait for its end."""
        if self.plan.before_start:
            await asyncio.to_thread(self.plan.before_start)
        loop = asyncio.get_running_loop()
        log_file = LogFile(self.plan.log)
        log_reading, log_writing = os.pipe()
        ready_reading, ready_writing = os.pipe()
        try:
            self._process = process = self._spawned(log_writing, ready_writing)
        except BaseException:
            log_file.connection_lost(None)
            os.close(log_reading)
            os.close(ready_reading)
            raise
        finally:
            os.close(log_writing)
            os.close(ready_writing)
        _, log = await loop.connect_read_pipe(
            lambda: log_file, os.fdopen(log_reading, "rb", buffering=0)
        )
        readiness = asyncio.create_task(self._await_ready(ready_reading, begun))
        readiness.add_done_callback(self._tell_defect)
        try:
            status = await _ended(process)
        finally:
            readiness.cancel()
            await asyncio.wait([readiness])  # it lets go of the pipe before its number is free
            os.close(ready_reading)
            self._process = None
        with contextlib.suppress(TimeoutError):  # a grandchild may keep the pipe open
            await asyncio.wait_for(log.ended.wait(), 1.0)
        return log, status

    def _spawned(self, log_writing: int, ready_writing: int) -> subprocess.Popen[bytes]:
        """The process, begun in this thread: the kernel ties a child to the thread that forked it.

        Raises `OSError` if it cannot be started.
        """
        plan = self.plan
        environment = {**plan.environment}
        if plan.fresh_environment:
            environment |= plan.fresh_environment()
        handed = plan.pass_fds
        if plan.tells_ready:
            environment["READY_FD"] = str(ready_writing)
            handed = (*handed, ready_writing)
        options: dict[str, Any] = {"process_group": 0, "env": environment, "cwd": "/"}
        options |= plan.popen
        process = subprocess.Popen(
            plan.command,
            stdin=subprocess.DEVNULL,
            stdout=log_writing,
            stderr=log_writing,
            pass_fds=handed,
            preexec_fn=dies_with_parent(plan.dies_by),
            **options,
        )
        if plan.niceness:
            with contextlib.suppress(OSError):  # not ours to give, or it has ended already
                os.setpriority(os.PRIO_PROCESS, process.pid, plan.niceness)
        return process

    async def _await_ready(self, ready_reading: int, begun: float) -> None:
        if self.plan.tells_ready:
            told = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.add_reader(ready_reading, told.set)
            try:
                await told.wait()
            finally:
                loop.remove_reader(ready_reading)
            if not os.read(ready_reading, 1):  # closed without a word: it ended
                return
        elif self.plan.is_ready is not None:
            while not await self.plan.is_ready():
                if self._waits_for_first_ready() and time.monotonic() - begun > READY_DEADLINE:
                    self._fail(f"{self.plan.name} runs but does not answer; see {self.plan.log}")
                    return
                await asyncio.sleep(0.02)
        if self._first_ready and not self._first_ready.done():
            self._first_ready.set_result(time.monotonic() - begun)

    def _tell_defect(self, task: asyncio.Task[None]) -> None:
        """What nobody foresaw is said, and ends a start that would wait for ever."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(f"{self.plan.name} cannot be looked after: {error!r}")

    def _waits_for_first_ready(self) -> bool:
        return self._first_ready is not None and not self._first_ready.done()

    def _fail(self, why: str) -> None:
        if self._first_ready and not self._first_ready.done():
            self._first_ready.set_exception(StartFailed(why))
        else:
            self._say(why)


async def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a child by its pidfd: no thread, no polling."""
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(process.pid)
    over = asyncio.Event()
    loop.add_reader(descriptor, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return process.wait()


def _ending(status: int) -> str:
    if status < 0:
        named = [each.name for each in signal.Signals if each == -status]
        return f"was ended by {named[0] if named else f'signal {-status}'}"
    return f"ended with status {status}"


def _last_words(plan: PartPlan, status: int, log: LogFile) -> str:
    if status == CONFIGURATION_STATUS and log.tail:
        return log.tail[-1]
    words = "\n".join(f"    {line}" for line in log.tail)
    return f"{plan.name} {_ending(status)}; its log is {plan.log}, at its end:\n{words}"
