"""`python -m sipengine`: the SIP engine as a process of its own."""

from __future__ import annotations

import sys

import structlog

from pbx.enginelink.link import Link, LinkError
from pbx.environment import BadEnvironment, Environment, current
from sipengine.engine import Engine, EngineError, Settings
from sipengine.net.certificates import CertificateFiles
from sipengine.observe import logs

CANNOT_START = 2


def main() -> int:
    logs.configure()
    try:
        environment = current()
        settings = settings_of(environment)
        Engine(settings, Link.of(environment)).run()
    except BadEnvironment as error:
        return _refuse(*error.lines)
    except (EngineError, LinkError) as error:
        return _refuse(str(error))
    return 0


def settings_of(environment: Environment) -> Settings:
    """What the engine needs of the environment. Raises `EngineError` if there is no secret yet."""
    if not environment.secret_key:
        raise EngineError(
            "There is no secret key yet: start once with ./run, or give PBX_SECRET_KEY."
        )
    if not environment.guard:
        structlog.get_logger().warning(
            "PBX_GUARD is off: nobody is banned, and no limit holds for one address"
        )
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
    sys.exit(main())
