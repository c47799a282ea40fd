"""rtpengine in userspace, in a process of its own (apt: rtpengine-daemon)."""

from __future__ import annotations

import socket
import subprocess
from typing import Final

from tests.support.free_ports import free_block
from tests.support.programs import program
from tests.support.wait import until

HERE: Final = "127.0.0.1"
PORTS: Final = 40


class Rtpengine:
    """Ready when entered. `control` is the port of its ng protocol."""

    def __enter__(self) -> Rtpengine:
        first = self.control = free_block(PORTS + 2)
        self.process = subprocess.Popen(
            [
                program("rtpengine", "rtpengine-daemon"),
                *("--config-file=none", "-f", "-E", "-t", "-1", "-i", HERE),
                *("-n", f"{HERE}:{first}", "-m", str(first + 2), "-M", str(first + PORTS + 1)),
                *("--num-threads=1", "--log-level=3"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers, "rtpengine to answer", deadline=15, pause=0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.3)
            try:
                probe.connect((HERE, self.control))
                probe.send(b"p d7:command4:pinge")
                return b"pong" in probe.recv(2000)
            except OSError:
                return False
