"""Run by itself: what messages take in memory of which a core keeps some among others that it handles."""

from __future__ import annotations

import random
from collections import deque
from pathlib import Path

from sipengine.sip.flow import Flow
from tests.net.served import Served
from tests.net.stand_in_core import StandInCore

COUNT = 30_000
EACH = 5
UNDER_WAY = 300
"""Messages whose transactions last a while, as those of calls do."""


class KeepingCore(StandInCore):
    def __init__(self) -> None:
        super().__init__()
        self.kept: list[bytes] = []
        self.count = 0
        self._under_way: deque[bytes] = deque(maxlen=UNDER_WAY)

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        self.count += 1
        forwarded = b"Via" + data
        self._under_way.append(forwarded)
        if self.count % EACH == 0:
            self.kept += (data, forwarded)
        self.out.append((flow, b"got it"))


def memory() -> int:
    """Resident, of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main() -> None:
    sizes = random.Random(3261)
    core = KeepingCore()
    with Served(core=core) as served, served.udp() as phone:
        before = memory()
        for _ in range(COUNT):
            phone.send(b"x" * sizes.randint(300, 1200))
            phone.recv(100)
        kept = sum(len(data) + 33 for data in core.kept)
        print((memory() - before) / kept)


if __name__ == "__main__":
    main()
