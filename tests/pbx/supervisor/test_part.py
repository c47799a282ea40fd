"""A part's process: ready, restarted, stopped. Stand-ins are small shell scripts."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pbx.supervisor.complaints import Complaints
from pbx.supervisor.part import STARTS_AT_FIRST, Part, PartPlan, StartFailed
from tests.support.wait import eventually


def plan(tmp_path: Path, script: str, **more: Any) -> PartPlan:
    return PartPlan(
        name="stand-in",
        command=["/bin/sh", "-c", script],
        environment={"PATH": os.defpath},
        log=tmp_path / "stand-in.log",
        **more,
    )


TELLING = 'echo ready > "/dev/fd/$READY_FD"; '


async def started(part: Part) -> int:
    await asyncio.wait_for(part.start(), 10)
    assert part.pid is not None
    return part.pid


async def until_pid_other_than(part: Part, old: int) -> int:
    await eventually(lambda: part.pid not in (None, old), 10)
    assert part.pid is not None
    return part.pid


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_part_that_may_wait_gives_way_to_the_others(tmp_path: Path) -> None:
    part = Part(plan(tmp_path, TELLING + "exec sleep 60", tells_ready=True, niceness=5), print)
    try:
        pid = await started(part)
        assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + 5
    finally:
        await part.stop()


async def test_a_part_that_tells_is_ready_when_it_told(tmp_path: Path) -> None:
    part = Part(plan(tmp_path, TELLING + "exec sleep 60", tells_ready=True), print)
    pid = await started(part)
    assert is_alive(pid)
    await part.stop()
    assert not is_alive(pid)


async def test_a_killed_part_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    part = Part(plan(tmp_path, TELLING + "exec sleep 60", tells_ready=True), said.append)
    pid = await started(part)
    os.kill(pid, signal.SIGKILL)
    again = await until_pid_other_than(part, pid)
    assert is_alive(again)
    assert len(said) == 1
    assert "stand-in was ended by SIGKILL" in said[0]
    await part.stop()
    assert not is_alive(again)


async def test_a_part_ended_by_a_signal_without_a_name_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    part = Part(plan(tmp_path, TELLING + "exec sleep 60", tells_ready=True), said.append)
    pid = await started(part)
    try:
        os.kill(pid, signal.SIGRTMIN + 1)
        await until_pid_other_than(part, pid)
        assert f"was ended by signal {signal.SIGRTMIN + 1}" in said[0]
    finally:
        await part.stop()


async def test_the_pipe_of_a_part_that_ended_before_it_was_ready_is_let_go_of_before_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its child keeps the pipe open. Else whoever gets the number next would lose his reader."""
    loop = asyncio.get_running_loop()
    watched: list[int] = []
    close = os.close

    def closed(descriptor: int) -> None:
        if loop.remove_reader(descriptor):
            watched.append(descriptor)
        close(descriptor)

    monkeypatch.setattr(os, "close", closed)
    part = Part(plan(tmp_path, "sleep 2 >/dev/null 2>&1 & exit 2", tells_ready=True), print)
    with pytest.raises(StartFailed):
        await asyncio.wait_for(part.start(), 10)
    await part.stop()
    assert watched == []


async def test_a_part_that_never_comes_up_fails_the_start_with_its_last_words(
    tmp_path: Path,
) -> None:
    marks = tmp_path / "marks"
    script = f"echo x >> {marks}; echo the disk is full >&2; exit 1"
    part = Part(plan(tmp_path, script, tells_ready=True), print)
    with pytest.raises(StartFailed, match="the disk is full"):
        await asyncio.wait_for(part.start(), 10)
    assert len(marks.read_text().split()) == STARTS_AT_FIRST
    await part.stop()


async def test_wrong_configuration_fails_the_start_at_once(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    script = f"echo x >> {marks}; echo PBX_X=1: wrong, give 2 >&2; exit 2"
    part = Part(plan(tmp_path, script, tells_ready=True), print)
    with pytest.raises(StartFailed) as caught:
        await asyncio.wait_for(part.start(), 10)
    assert str(caught.value) == "PBX_X=1: wrong, give 2"
    assert len(marks.read_text().split()) == 1
    await part.stop()


async def test_a_defect_in_looking_whether_it_is_ready_fails_the_start(tmp_path: Path) -> None:
    async def broken() -> bool:
        raise ZeroDivisionError("a defect")

    part = Part(replace(plan(tmp_path, "exec sleep 60"), is_ready=broken), print)
    with pytest.raises(StartFailed, match="cannot be looked after: ZeroDivisionError"):
        await asyncio.wait_for(part.start(), 10)
    await part.stop()


async def test_a_program_that_does_not_exist_fails_the_start(tmp_path: Path) -> None:
    missing = PartPlan("stand-in", ["/nonexistent/program"], {}, tmp_path / "log")
    part = Part(missing, print)
    with pytest.raises(StartFailed, match="stand-in cannot be started"):
        await asyncio.wait_for(part.start(), 10)
    await part.stop()


async def test_a_part_that_cannot_be_started_again_for_a_while_is_tried_until_it_can(
    tmp_path: Path,
) -> None:
    """As Postgres whose data directory is not to be entered: the disk is away, or it was moved."""
    home = tmp_path / "home"
    home.mkdir()
    said: list[str] = []
    script = TELLING + "exec sleep 60"
    part = Part(plan(tmp_path, script, tells_ready=True, popen={"cwd": str(home)}), said.append)
    pid = await started(part)
    home.rename(tmp_path / "elsewhere")
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: len(said) >= 3, 10)
    assert "stand-in cannot be started: [Errno 2] No such file or directory" in said[1]
    (tmp_path / "elsewhere").rename(home)
    assert is_alive(await until_pid_other_than(part, pid))
    await part.stop()


async def test_a_part_whose_log_cannot_be_opened_leaves_no_process_behind(tmp_path: Path) -> None:
    (tmp_path / "stand-in.log").mkdir()
    marks = tmp_path / "marks"
    part = Part(plan(tmp_path, f"echo x >> {marks}; exec sleep 60"), print)
    with pytest.raises(StartFailed, match="Is a directory"):
        await asyncio.wait_for(part.start(), 10)
    await part.stop()
    assert not marks.exists()


def test_what_ends_all_night_is_said_four_times_and_then_every_five_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("pbx.supervisor.complaints.time.monotonic", lambda: now)
    said: list[str] = []
    worker = Complaints("worker", Path("/x/worker.log"), said.append)
    for turn in range(1, 361):  # an hour, every ten seconds
        worker.say("ended with status 1 after 3 s", 10.0, in_a_row=turn)
        now += 10
    assert len(said) == 15
    assert said[0] == (
        "worker ended with status 1 after 3 s; starting it again in 10 s (log: /x/worker.log)"
    )
    assert "(29 times more since it was last said)" in said[-1]


async def test_a_part_that_does_not_listen_to_sigterm_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; " + TELLING + "while :; do sleep 60; done"
    part = Part(plan(tmp_path, script, tells_ready=True, patience=0.3), print)
    pid = await started(part)
    begun = time.monotonic()
    await part.stop()
    assert not is_alive(pid)
    assert time.monotonic() - begun < 3


async def test_the_log_holds_what_the_part_said(tmp_path: Path) -> None:
    part = Part(plan(tmp_path, "echo hello; " + TELLING + "exec sleep 60", tells_ready=True), print)
    await started(part)
    await part.stop()
    assert (tmp_path / "stand-in.log").read_text() == "hello\n"


def test_a_child_ends_with_its_parent_however_that_ends() -> None:
    program = (
        "import signal, subprocess, time\n"
        "from pbx.supervisor.death import dies_with_parent\n"
        "child = subprocess.Popen(['sleep', '60'], preexec_fn=dies_with_parent(signal.SIGKILL))\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_alive(child)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(child)
