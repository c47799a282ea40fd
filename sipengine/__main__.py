"""`python -m sipengine`: the SIP engine as a process of its own.

`--sockets HOST=FD,…` names UDP sockets that are bound already, each one of PBX_ENGINE_WORKERS that share
the port; `--worker K` says which of the processes this one is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

import structlog

from pbx.enginelink.engine_process import EngineProcess
from pbx.enginelink.link import Link, LinkError
from pbx.environment import BadEnvironment, Environment, current
from pbx.supervisor.ready import tell_ready
from sipengine.engine import Engine, EngineError, Settings
from sipengine.net.certificates import CertificateFiles
from sipengine.observe import logs

CANNOT_START = 2


def main(arguments: list[str]) -> int:
    logs.configure()
    parser = argparse.ArgumentParser(prog="python -m sipengine")
    parser.add_argument("--worker", type=int, default=0)
    parser.add_argument("--sockets", default="")
    options = parser.parse_args(arguments)
    try:
        environment = current()
        settings = settings_of(environment, options.worker, sockets_of(options.sockets))
        Engine(settings, Link.of(environment, EngineProcess(*settings.share)), tell_ready).run()
    except BadEnvironment as error:
        return _refuse(*error.lines)
    except (EngineError, LinkError) as error:
        return _refuse(str(error))
    return 0


def sockets_of(words: str) -> dict[str, int]:
    """Address -> descriptor, of words such as `0.0.0.0=5,::=6`. Raises `EngineError`."""
    try:
        pairs = [word.rsplit("=", 1) for word in words.split(",") if word]
        return {host: int(number) for host, number in pairs}
    except ValueError:
        raise EngineError(f"--sockets {words}: give HOST=FD, several with commas") from None


def settings_of(environment: Environment, worker: int, sockets: Mapping[str, int]) -> Settings:
    """What the engine needs of the environment, as process `worker` of those that share `sockets`.

    Raises `EngineError` if there is no secret yet, or no such process.
    """
    if not environment.secret_key:
        raise EngineError(
            "There is no secret key yet: start once with ./run, or give PBX_SECRET_KEY."
        )
    if not environment.guard:
        structlog.get_logger().warning(
            "PBX_GUARD is off: nobody is banned, and no limit holds for one address"
        )
    processes = environment.engine_workers
    if processes > 1 and not sockets:
        structlog.get_logger().warning(
            "PBX_ENGINE_WORKERS has no effect: only ./run starts several processes of the engine"
        )
        processes = 1
    if not 0 <= worker < processes:
        raise EngineError(f"--worker {worker}: there are {processes} processes of the engine.")
    certificate, key = environment.tls_files
    return Settings(
        binds=environment.binds,
        port=environment.sip_port,
        advertised=environment.advertised_address,
        advertised_is_given=bool(environment.public_address),
        guard=environment.guard,
        guard_allow=environment.guard_allow,
        secret=environment.secret_key,
        tls_port=environment.sips_port,
        tls=CertificateFiles(certificate, key, environment.tls_ca),
        ws_port=environment.ws_port,
        media=environment.media_gateways,
        page_ports=(environment.http_port, environment.https_port),
        origins=environment.ws_origins,
        name_servers=environment.name_servers,
        share=(worker, processes),
        crew_socket=environment.run_dir / "engine.sock",
        sockets=sockets,
        trace_bytes=environment.trace_mb * 1024 * 1024,
        rtp_ports=(
            environment.rtp_ports[0] + 2,
            environment.rtp_ports[1],
        ),  # the first two are the gateway's
    )


def _refuse(*lines: str) -> int:
    for line in lines:
        print(f"sipengine: {line}", file=sys.stderr)
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
