"""`python -m sipengine.gateway`: the media gateway as a process of its own."""

from __future__ import annotations

import os
import sys

from pbx.environment import BadEnvironment, current
from sipengine.gateway.process import GatewayError, Process, Settings
from sipengine.net.addresses import local_addresses
from sipengine.observe import logs
from sipengine.path_probe import probe_key

CANNOT_START = 2


def main() -> int:
    logs.configure()
    try:
        environment = current()
        settings = Settings(
            binds=environment.binds,
            advertised=environment.advertised_address,
            local=tuple(
                host
                for bind in environment.binds
                for host in local_addresses(bind)
                if not host.lower().startswith("fe80:")  # means nothing without its interface
            ),
            ports=environment.rtp_ports,
            probe_key=probe_key(environment.secret_key) if environment.secret_key else b"",
        )
        Process(settings).run(_tell_ready)
    except (BadEnvironment, GatewayError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return CANNOT_START
    return 0


def _tell_ready() -> None:
    """One line into the supervisor's pipe, if there is one (pbx/supervisor/part.py)."""
    descriptor = os.environ.get("READY_FD", "")
    if descriptor.isdigit():
        with os.fdopen(int(descriptor), "w") as pipe:
            pipe.write("ready\n")


if __name__ == "__main__":
    sys.exit(main())
