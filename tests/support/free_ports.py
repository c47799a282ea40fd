"""Ports that nothing listens on, for UDP and TCP alike."""

from __future__ import annotations

import random
import socket

LOWEST, HIGHEST = 10_000, 32_000
"""Below the range from which Linux takes the ports of outgoing connections (32768 and up)."""

TRIES = 200

_given: set[int] = set()


def free_port() -> int:
    return free_block(1)


def free_block(size: int) -> int:
    """The first of `size` consecutive ports free on 127.0.0.1, never given out before by us."""
    for _ in range(TRIES):
        first = random.randrange(LOWEST, HIGHEST - size)
        block = range(first, first + size)
        if _given.isdisjoint(block) and all(_is_free(port) for port in block):
            _given.update(block)
            return first
    raise RuntimeError(f"found no {size} free ports in a row in {TRIES} tries")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
