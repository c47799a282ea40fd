"""Every part of the PBX: what it runs, what it needs, and when it counts as ready."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from pbx.environment import PROJECT, Environment, loopback_of
from pbx.supervisor import commands, readiness
from pbx.supervisor.cluster import Cluster
from pbx.supervisor.compiled import import_path
from pbx.supervisor.identity import Identity, popen_arguments
from pbx.supervisor.part import PartPlan
from pbx.supervisor.programs import valkey_program

SERVERS: Final = ("postgres", "valkey")
_SERVER_PATIENCE: Final = 3.5  # seconds; nobody talks to them any more when they are stopped
_WORKER_PATIENCE: Final = 2.3
"""Seconds for the engine's other processes, which are stopped before it: the facts are on disk after
two, and with the engine's four and the servers' it stays below ten."""
NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "postgres": (),
    "valkey": (),
    "engine": ("postgres",),
    "gateway": (),
    "web": SERVERS,
    "worker": SERVERS,
    "beat": SERVERS,
}
"""Name of a part -> the embedded servers it needs. The order is that of starting."""

VOICE: Final = -10
"""Niceness of the media gateway where we may give it: a packet that waits 200 ms for a page to be made
is lost for the ear. It takes little, but that little at once."""
LATER: Final = 5
"""Of what does what may wait."""


class UnknownPart(Exception):
    """`--only` names something that is no part."""


def chosen(only: list[str], environment: Environment) -> list[str]:
    """The parts to run, in the order of starting: those named (or all) and what they need.

    A server that is given by URL is not ours to run.
    """
    unknown = [name for name in only if name not in NEEDS]
    if unknown:
        raise UnknownPart(
            f"--only {','.join(unknown)}: no such part; the parts are {', '.join(NEEDS)}"
        )
    wanted = set(only or NEEDS)
    wanted |= {server for name in wanted for server in NEEDS[name]}
    if not environment.database_is_embedded:
        wanted.discard("postgres")
    if not environment.redis_is_embedded:
        wanted.discard("valkey")
    if environment.media:
        wanted.discard("gateway")
    return [name for name in NEEDS if name in wanted]


def child_variables(environment: Environment) -> dict[str, str]:
    """The variables of every Python part."""
    return {
        **os.environ,
        "PBX_DATA_DIR": str(environment.data_dir),
        "DJANGO_SETTINGS_MODULE": "pbx.settings",
        "PYTHONUNBUFFERED": "1",
        "CELERY_SKIP_CHECKS": "true",  # Django's checks belong to the tests: half a second a start
        "MALLOC_ARENA_MAX": "2",  # glibc's per-thread heaps cost 10-20 MB a threaded process
    }


def postgres(environment: Environment, cluster: Cluster) -> PartPlan:
    async def is_ready() -> bool:
        return cluster.is_ready

    options = cluster.popen_options
    return PartPlan(
        name="postgres",
        command=cluster.command(),
        environment=options.pop("env"),
        log=environment.data_dir / "log" / "postgres.log",
        is_ready=is_ready,
        popen={key: value for key, value in options.items() if key != "preexec_fn"},
        stop_signal=signal.SIGINT,  # a fast stop: sessions end, nothing is lost
        dies_by=signal.SIGINT,
        patience=_SERVER_PATIENCE,
        before_start=cluster.stop,
    )


def valkey(environment: Environment, identity: Identity | None) -> PartPlan:
    path = environment.run_dir / "valkey.sock"

    async def is_ready() -> bool:
        return await readiness.valkey_answers(path)

    def clear() -> None:
        path.unlink(missing_ok=True)  # a killed server's socket would make clients wait for nobody

    return PartPlan(
        name="valkey",
        command=[
            str(valkey_program(identity)),
            *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", "./"),
            # It holds only what is soon made anew: live hints and tasks that come round again. Kept
            # on no disk: with a log there, a full one would stop pages, worker and schedule.
            *("--save", "", "--appendonly", "no"),
            *("--maxmemory", "256mb", "--maxmemory-policy", "volatile-lru", "--daemonize", "no"),
        ],
        environment={"PATH": os.defpath},
        log=environment.data_dir / "log" / "valkey.log",
        is_ready=is_ready,
        popen={"cwd": str(environment.data_dir / "valkey"), **popen_arguments(identity)},
        dies_by=signal.SIGTERM,
        patience=_SERVER_PATIENCE,
        before_start=clear,
    )


def engine(
    environment: Environment, identity: Identity | None, sockets: Mapping[str, int]
) -> PartPlan:
    """`sockets` are descriptors of its UDP sockets by address, where several processes share them."""
    host = loopback_of(environment.bind)

    async def is_ready() -> bool:
        return await readiness.engine_answers(host, environment.sip_port)

    return _python_part(
        environment,
        identity,
        "engine",
        (*commands.ENGINE, *_handed(sockets)),
        is_ready=is_ready,
        pass_fds=tuple(sockets.values()),
        fresh_environment=_path_of(environment),
    )


def engine_worker(
    environment: Environment, identity: Identity | None, number: int, sockets: Mapping[str, int]
) -> PartPlan:
    """Process `number` of the engine; 0 is `engine`."""
    plan = _python_part(
        environment,
        identity,
        f"engine-{number}",
        (*commands.ENGINE, "--worker", str(number), *_handed(sockets)),
        tells_ready=True,
        pass_fds=tuple(sockets.values()),
        fresh_environment=_path_of(environment),
    )
    return replace(plan, patience=_WORKER_PATIENCE)


def _handed(sockets: Mapping[str, int]) -> tuple[str, ...]:
    words = [f"{host}={number}" for host, number in sockets.items()]
    return ("--sockets", ",".join(words)) if words else ()


def _path_of(environment: Environment) -> Callable[[], Mapping[str, str]]:
    return lambda: import_path(wanted=environment.compile)


def gateway(environment: Environment, identity: Identity | None) -> PartPlan:
    return _python_part(
        environment, identity, "gateway", commands.GATEWAY, tells_ready=True, niceness=VOICE
    )


def web(
    environment: Environment,
    identity: Identity | None,
    http: list[socket.socket],
    https: list[socket.socket],
) -> PartPlan:
    host = loopback_of(environment.bind)

    async def is_ready() -> bool:
        return await readiness.web_answers(
            host, environment.http_port, tls=False
        ) and await readiness.web_answers(host, environment.https_port, tls=True)

    doors = {"--fd": [door.fileno() for door in http]}
    doors["--https-fd"] = [door.fileno() for door in https]
    words: tuple[str, ...] = commands.WEB
    for option, numbers in doors.items():
        words += (option, ",".join(map(str, numbers)))
    descriptors = tuple(number for numbers in doors.values() for number in numbers)
    return _python_part(
        environment, identity, "web", words, is_ready=is_ready, pass_fds=descriptors
    )


def worker(environment: Environment, identity: Identity | None) -> PartPlan:
    return _python_part(
        environment, identity, "worker", commands.WORKER, tells_ready=True, niceness=LATER
    )


def beat(environment: Environment, identity: Identity | None) -> PartPlan:
    return _python_part(environment, identity, "beat", commands.BEAT, tells_ready=True)


def _python_part(
    environment: Environment,
    identity: Identity | None,
    name: str,
    words: tuple[str, ...],
    *,
    is_ready: Callable[[], Awaitable[bool]] | None = None,
    tells_ready: bool = False,
    pass_fds: tuple[int, ...] = (),
    fresh_environment: Callable[[], Mapping[str, str]] | None = None,
    niceness: int = 0,
) -> PartPlan:
    return PartPlan(
        name=name,
        command=[sys.executable, *words],
        environment=child_variables(environment),
        log=environment.data_dir / "log" / f"{name}.log",
        is_ready=is_ready,
        tells_ready=tells_ready,
        popen={"cwd": str(PROJECT), **popen_arguments(identity)},
        pass_fds=pass_fds,
        fresh_environment=fresh_environment,
        niceness=niceness,
    )
