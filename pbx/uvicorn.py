"""The web part: one uvicorn loop that serves HTTP and HTTPS, `python -m pbx.uvicorn`.

Two servers in one process share one Django, which saves the memory of a second. The supervisor
hands over listening sockets (`--fd`, `--https-fd`), so that a restart refuses no connection;
without them the addresses of the environment are listened on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any, Final

import uvicorn

from pbx.database_away import ImpatientConnection
from pbx.environment import BadEnvironment, Environment, current
from pbx.https_door import BadCertificate, HttpsDoor
from pbx.supervisor.ports import Port, PortTrouble, listen

_GRACE: Final = 3  # seconds for answers under way when it stops; live pages reconnect by themselves
_POOL: Final = {
    "min_size": 1,
    "max_size": 8,
    "timeout": 5,
}  # threads of one process, 60 in the server


Door = tuple[list[socket.socket], HttpsDoor | None]


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process that holds two of them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pbx.uvicorn")
    parser.add_argument("--fd", help="inherited listening sockets for HTTP, with commas")
    parser.add_argument("--https-fd", help="inherited listening sockets for HTTPS, with commas")
    parser.add_argument("--no-https", action="store_true", help="HTTP only, as behind a proxy")
    arguments = parser.parse_args()
    try:
        environment = current()
        doors = _doors(environment, arguments)
    except (BadEnvironment, PortTrouble) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return asyncio.run(_serve(doors))


def _doors(environment: Environment, arguments: argparse.Namespace) -> list[Door]:
    """The listening sockets of HTTP and HTTPS, the latter with its certificate."""
    doors: list[Door] = [
        (_sockets(environment, arguments.fd, "PBX_HTTP_PORT", environment.http_port), None)
    ]
    if not arguments.no_https:
        tls = _tls(environment)
        doors.append(
            (
                _sockets(environment, arguments.https_fd, "PBX_HTTPS_PORT", environment.https_port),
                tls,
            )
        )
    return doors


def _tls(environment: Environment) -> HttpsDoor:
    """The certificate given, or the one that this installation made itself."""
    try:
        return HttpsDoor(*environment.tls_files)
    except BadCertificate as error:
        raise BadEnvironment(
            (
                f"PBX_TLS_CERT, PBX_TLS_KEY: {error}; "
                "give a PEM certificate with its key, or leave both out",
            )
        ) from error


def _sockets(
    environment: Environment, descriptors: str | None, variable: str, number: int
) -> list[socket.socket]:
    if descriptors is not None:
        return [socket.socket(fileno=int(word)) for word in descriptors.split(",")]
    port = Port(variable, number, socket.SOCK_STREAM)
    return [listen(bind, port) for bind in environment.binds]


async def _serve(doors: list[Door]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbx.settings")
    from django.conf import settings

    # Each request may run in another thread: they share connections instead of opening their own.
    settings.DATABASES["default"]["OPTIONS"]["pool"] = _POOL | {
        "connection_class": ImpatientConnection
    }
    from pbx.asgi import application

    servers = [_server(application, tls) for _, tls in doors]
    watching = [asyncio.create_task(tls.watch()) for _, tls in doors if tls]

    def leave() -> None:
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
    await asyncio.gather(
        *(server.serve(door) for server, (door, _) in zip(servers, doors, strict=True))
    )
    for task in watching:
        task.cancel()
    return 0


def _server(application: Any, tls: HttpsDoor | None) -> _Server:
    config = uvicorn.Config(
        application,
        lifespan="off",
        ws="websockets-sansio",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        ws_max_size=65_536,  # pages send a few words, never more
    )
    config.load()
    if tls:
        config.ssl = tls.context
    return _Server(config)


if __name__ == "__main__":
    sys.exit(main())
