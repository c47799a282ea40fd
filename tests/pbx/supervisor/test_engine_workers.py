"""An engine of several processes under the supervisor: handed sockets, order, restarts. Stand-ins answer."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from pbx.environment import Environment
from pbx.supervisor import commands, data_dir, parts, supervisor
from pbx.supervisor.ports import PortTrouble
from pbx.supervisor.supervisor import Prepared, Supervisor
from sipengine.__main__ import settings_of, sockets_of
from sipengine.engine import EngineError
from sipengine.services.share import Share
from tests.support.free_ports import free_port
from tests.support.wait import eventually

COUNT = 3
SECRET = "x" * 32

STAND_IN = """
import os, signal, socket, sys, time
words = sys.argv[1:]
number = words[words.index("--worker") + 1] if "--worker" in words else "0"
host, _, descriptor = words[words.index("--sockets") + 1].rpartition("=")
own = socket.socket(fileno=int(descriptor))
def stop(*_):
    print(f"stops {time.monotonic()}", flush=True)
    if number == "0":
        sys.exit(0)
    time.sleep(0.3)
    print(f"stopped {time.monotonic()}", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print(f"starts {time.monotonic()}", flush=True)
if "READY_FD" in os.environ:
    os.write(int(os.environ.pop("READY_FD")), b"ready\\n")
while True:
    data, peer = own.recvfrom(2000)
    own.sendto(f"SIP/2.0 200 by {number} of {os.getpid()}".encode(), peer)
"""


def environment(directory: Path, **more: str) -> Environment:
    return Environment.load(
        {
            "PBX_DATA_DIR": str(directory / "data"),
            "PBX_BIND": "127.0.0.1",
            "PBX_SIP_PORT": str(free_port()),
            "PBX_SIPS_PORT": str(free_port()),
            "PBX_WS_PORT": str(free_port()),
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "PBX_SECRET_KEY": SECRET,
            "PBX_ENGINE_WORKERS": str(COUNT),
            **more,
        }
    )


@asynccontextmanager
async def running(given: Environment, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """A supervisor with stand-ins for the engine; what it says."""
    said: list[str] = []

    async def prepared(*_: object) -> Prepared:
        return Prepared("pbx.test")

    monkeypatch.setattr(commands, "ENGINE", ("-c", STAND_IN))
    monkeypatch.setattr(Supervisor, "_prepare", prepared)
    monkeypatch.setattr(supervisor, "_print", lambda line, _where: said.append(line))
    data_dir.make(given.data_dir)
    started = Supervisor(given, ["engine"], demo=False)
    life = asyncio.create_task(started.run())
    try:
        await eventually(lambda: life.done() or any(line.startswith("READY") for line in said), 20)
        if life.done():
            life.result()
        yield said
    finally:
        if not life.done():
            os.kill(os.getpid(), signal.SIGTERM)
            begun = time.monotonic()
            await life
            assert time.monotonic() - begun < 10


def asked(given: Environment, data: bytes) -> tuple[int, int]:
    """(number, pid) of the process that answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(20)
        phone.sendto(data, ("127.0.0.1", given.sip_port))
        words = phone.recv(2000).split()
    return int(words[3]), int(words[5])


def invite(number: int) -> bytes:
    """An INVITE of a call that is this process's."""
    share = Share(0, COUNT)
    return next(
        data
        for n in range(1000)
        if share.of(data := b"INVITE sip:x SIP/2.0\r\nCall-ID: %08d@127.0.0.1\r\n\r\n" % n)
        == number
    )


async def test_every_process_has_its_messages_also_after_it_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environment(tmp_path)
    async with running(given, monkeypatch) as said:
        assert next(line.split()[0] for line in said if " ready after " in line) == "engine"
        assert {line.split()[0] for line in said if " ready after " in line} == {
            "engine", "engine-1", "engine-2",
        }  # fmt: skip
        before = [await asyncio.to_thread(asked, given, invite(n)) for n in range(COUNT)]
        assert [number for number, _ in before] == [0, 1, 2]
        for victim in (1, 0):
            os.kill(before[victim][1], signal.SIGKILL)
            remains = Path(f"/proc/{before[victim][1]}")
            await eventually(partial(lambda gone: not gone.exists(), remains), 10)
            # Asked once: what comes while it restarts waits for it.
            number, pid = await asyncio.to_thread(asked, given, invite(victim))
            assert number == victim
            assert pid != before[victim][1]
        again = [await asyncio.to_thread(asked, given, invite(n)) for n in range(COUNT)]
        assert [number for number, _ in again] == [0, 1, 2]
        assert again[2] == before[2]


async def test_the_first_process_starts_first_and_stops_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environment(tmp_path)
    async with running(given, monkeypatch):
        pass

    def moment(name: str, word: str) -> float:
        lines = (given.data_dir / "log" / f"{name}.log").read_text().splitlines()
        return next(float(line.split()[-1]) for line in lines if f"{word} " in line)

    for number in range(1, COUNT):
        assert moment("engine", "starts") < moment(f"engine-{number}", "starts")
        assert moment(f"engine-{number}", "stopped") <= moment("engine", "stops")


async def test_a_taken_port_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environment(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", given.sip_port))
        with pytest.raises(PortTrouble, match="in use by another program"):
            async with running(given, monkeypatch):
                pass


def test_one_process_is_started_as_ever(tmp_path: Path) -> None:
    given = environment(tmp_path, PBX_ENGINE_WORKERS="")
    plan = parts.engine(given, None, {})
    assert list(plan.command) == [sys.executable, *commands.ENGINE]
    assert plan.pass_fds == ()


def test_sockets_are_named_by_their_addresses() -> None:
    given = {"::": 7, "0.0.0.0": 8}
    plan = parts.engine_worker(Environment.load({}), None, 2, given)
    assert list(plan.command[-4:]) == ["--worker", "2", "--sockets", "::=7,0.0.0.0=8"]
    assert plan.pass_fds == (7, 8)
    assert plan.name == "engine-2"
    assert sockets_of(plan.command[-1]) == given
    assert sockets_of("") == {}


@pytest.mark.parametrize("words", ["7", "0.0.0.0=x", "0.0.0.0=5,6"])
def test_sockets_without_an_address_are_refused(words: str) -> None:
    with pytest.raises(EngineError, match=r"--sockets .*: give HOST=FD"):
        sockets_of(words)


def test_a_process_knows_its_share(tmp_path: Path) -> None:
    given = environment(tmp_path)
    assert settings_of(given, 2, {"127.0.0.1": 5}).share == (2, COUNT)
    assert settings_of(given, 0, {"127.0.0.1": 5}).sockets == {"127.0.0.1": 5}
    assert settings_of(given, 0, {}).share == (0, 1)  # nobody shares a port with it


@pytest.mark.parametrize(
    ("worker", "sockets"), [(3, {"127.0.0.1": 5}), (-1, {"127.0.0.1": 5}), (1, {})]
)
def test_there_is_no_such_process(tmp_path: Path, worker: int, sockets: dict[str, int]) -> None:
    with pytest.raises(EngineError, match="--worker"):
        settings_of(environment(tmp_path), worker, sockets)
