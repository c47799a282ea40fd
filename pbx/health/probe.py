"""`python -m pbx.health.probe PART`: exit status 0 if that part is well; for containers."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Final

from pbx.environment import current, loopback_of
from pbx.supervisor.readiness import engine_answers, web_answers

USAGE: Final = 2


def _web() -> bool:
    environment = current()
    host = loopback_of(environment.bind)
    return asyncio.run(web_answers(host, environment.http_port, tls=False))


def _engine() -> bool:
    environment = current()
    return asyncio.run(engine_answers(loopback_of(environment.bind), environment.sip_port))


def _by_check(name: str) -> bool:
    """The parts without a port are asked as /healthz asks them."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbx.settings")
    import django

    django.setup()
    from pbx.health.checks import check_all

    state = check_all()[name]
    if state.trouble:
        sys.stderr.write(f"{state.trouble}\n")
    return state.ok


PROBES: Final[dict[str, Callable[[], bool]]] = {
    "web": _web,
    "engine": _engine,
    "gateway": lambda: _by_check("gateway"),
    "worker": lambda: _by_check("worker"),
    "beat": lambda: _by_check("beat"),
}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in PROBES:
        sys.stderr.write(f"usage: python -m pbx.health.probe {'|'.join(PROBES)}\n")
        return USAGE
    return 0 if PROBES[arguments[0]]() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
