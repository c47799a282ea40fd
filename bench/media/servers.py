"""The gateways that are measured: ours and rtpengine, one process each, and what they cost."""

from __future__ import annotations

import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from sipengine.media import commands
from sipengine.media.bencode import decode, encode
from sipengine.services.ports import MediaAnswer, MediaRequest

HERE: Final = "127.0.0.1"
PORTS: Final = 3000
"""Enough for 400 calls of two RTP sides each."""
START_S: Final = 20.0
PROJECT: Final = Path(__file__).resolve().parent.parent.parent


class Server:
    """One gateway on one core; a context manager."""

    def __init__(self, name: str, core: int, threads: int = 1) -> None:
        self.name = name
        self._core = core
        self._threads = threads
        self._first = random.randrange(10_000, 25_000) & ~1
        self._folder = tempfile.TemporaryDirectory()
        self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._control.settimeout(5.0)

    def __enter__(self) -> Server:
        if self.name == "rtpengine":
            words = self._rtpengine()
            control = self._first
        else:
            words = [sys.executable, "-m", "sipengine.gateway"]
            control = self._first + 1
        environment = {
            **os.environ,
            "PBX_BIND": HERE,
            "PBX_PUBLIC_ADDRESS": HERE,
            "PBX_DATA_DIR": self._folder.name,
            "PBX_RTP_PORTS": f"{self._first}-{self._first + PORTS}",
        }
        self._process = subprocess.Popen(
            ["taskset", "-c", str(self._core), *words],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=None if "BENCH_LOG" in os.environ else subprocess.DEVNULL,
        )
        self._control.connect((HERE, control))
        self._wait()
        return self

    def _rtpengine(self) -> list[str]:
        first = self._first
        return [
            "rtpengine",
            *("--config-file=none", "-f", "-E", "-t", "-1", "-i", HERE, "-n", f"{HERE}:{first}"),
            *("-m", str(first + 2), "-M", str(first + PORTS), "--log-level=3"),
            f"--num-threads={self._threads}",
        ]

    def _wait(self) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            try:
                self._control.send(b"p d7:command4:pinge")
                if b"pong" in self._control.recv(2000):
                    return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{self.name} did not start")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._control.close()
        self._folder.cleanup()

    def ask(self, request: MediaRequest) -> MediaAnswer:
        """Send one command as the engine does. A refusal ends the measurement."""
        cookie = secrets.token_hex(6).encode()
        self._control.send(cookie + b" " + encode(commands.command(request)))
        while True:
            answer, _, body = self._control.recv(65_536).partition(b" ")
            if answer == cookie:
                break
        told = commands.answer(decode(body), 0, request.from_tag)
        if not told.ok:
            raise SystemExit(f"{self.name} refused: {told.why}")
        return told

    def cpu(self) -> float:
        """Seconds that all its threads have been running."""
        pid = self._process.pid
        total = 0
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    @property
    def pid(self) -> int:
        return self._process.pid

    def memory(self) -> int:
        """Resident kB."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0])
