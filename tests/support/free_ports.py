"""Ports that nothing listens on, for UDP and TCP alike."""

from __future__ import annotations

import os
import random
import socket

LOWEST, HIGHEST = 10_000, 32_000
"""Below the range from which Linux takes the ports of outgoing connections (32768 and up)."""

TRIES = 200

MOST_WORKERS = 4
"""Of pytest-xdist, which find ports apart from each other's."""

_given: set[int] = set()


def free_port() -> int:
    return free_block(1)


def free_block(size: int) -> int:
    """The first of `size` consecutive ports free on 127.0.0.1, never given out before by us.

    Workers beside each other never find the same, though nobody may listen there yet.
    """
    lowest, highest = _share()
    for _ in range(TRIES):
        first = random.randrange(lowest, highest - size)
        block = range(first, first + size)
        if _given.isdisjoint(block) and all(_is_free(port) for port in block):
            _given.update(block)
            return first
    raise RuntimeError(f"found no {size} free ports in a row in {TRIES} tries")


def _share() -> tuple[int, int]:
    """The range of this worker, whose name (gw0, gw1, ...) pytest-xdist puts into the environment."""
    number = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if not number.isdigit():
        return LOWEST, HIGHEST
    width = (HIGHEST - LOWEST) // MOST_WORKERS
    lowest = LOWEST + int(number) % MOST_WORKERS * width
    return lowest, lowest + width


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
