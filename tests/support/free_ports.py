"""Ports that nothing listens on, for UDP and TCP alike."""

from __future__ import annotations

import os
import random
import socket

LOWEST, HIGHEST = 10_000, 32_000
"""Below the range from which Linux takes the ports of outgoing connections (32768 and up)."""

_next: int | None = None  # where to look; one after the other, so that long blocks are left


def free_port() -> int:
    return free_block(1)


def free_block(size: int) -> int:
    """The first of `size` consecutive ports free on 127.0.0.1, not given out before by us if there
    are others.

    Workers beside each other never find the same, though nobody may listen there yet.
    """
    global _next
    lowest, highest = _share()
    first = _next or random.randrange(lowest, highest - size)
    for _ in range(highest - lowest):
        if first + size > highest:
            first = lowest
        taken = next((port for port in range(first, first + size) if not _is_free(port)), None)
        if taken is None:
            _next = first + size
            return first
        first = taken + 1
    raise RuntimeError(f"found no {size} free ports in a row from {lowest} to {highest}")


def _share() -> tuple[int, int]:
    """The range of this worker, one of so many: pytest-xdist puts both into the environment."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    width = (HIGHEST - LOWEST) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    lowest = LOWEST + number * width
    return lowest, lowest + width


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
