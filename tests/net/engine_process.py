"""An engine of its own process with a link that needs no database: `python -m tests.net.engine_process DIR`.

Its journal is a real one, in DIR. It prints its port first. With the name of a certificate's file as
a second word it listens for TLS and WebSocket, too, and prints those ports behind the first.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sipengine.api import (
    ConfigSnapshot,
    Domain,
    Extension,
    RefusedPhone,
    Restored,
)
from sipengine.engine import Engine, EngineError, Settings
from sipengine.journal import Journal
from sipengine.link_port import Start
from sipengine.net.certificates import CertificateFiles
from sipengine.observe import logs
from tests.support.free_ports import free_port

PASSWORD = "s3cret"


@dataclass(frozen=True)
class FirstStart:
    snapshot: ConfigSnapshot
    restored: Restored


class LinkWithoutDatabase:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def start(self) -> Start:
        self.journal = Journal.open(self._directory / "journal")
        ha1 = hashlib.md5(f"1001:test.example:{PASSWORD}".encode()).hexdigest()
        alice = Extension("1001", "test.example", ha1_md5=ha1)
        domains = {"test.example": Domain("test.example")}
        snapshot = ConfigSnapshot(1, "test.example", domains, {alice.aor: alice})
        return FirstStart(snapshot, Restored([], []))

    def watch(self, on_change: Callable[[ConfigSnapshot], None]) -> None:
        return

    def take_commands(self, on_command: Callable[[int, str, dict[str, str]], None]) -> None:
        return

    def say(self, number: int, words: str, succeeded: bool | None) -> None:
        return

    def notify_written(self) -> None:
        return

    def publish_status(
        self,
        counters: dict[str, int | float],
        generation: int = 0,
        refused: Sequence[RefusedPhone] = (),
    ) -> None:
        return

    def counters(self) -> dict[str, int | float]:
        return {}

    def close(self, deadline_s: float = 3.0) -> None:
        self.journal.close()


def settings(port: int) -> Settings:
    return Settings(("127.0.0.1",), port, "127.0.0.1", guard=False, secret="s" * 32)


def every_door(certificate: str) -> Settings:
    """TLS and WebSocket, too; `certificate` is a PEM file with its key beside it in a `.key`."""
    files = CertificateFiles(certificate, str(Path(certificate).with_suffix(".key")))
    plain = settings(free_port())
    return replace(plain, tls_port=free_port(), tls=files, ws_port=free_port())


def main() -> int:
    logs.configure()
    chosen = every_door(sys.argv[2]) if len(sys.argv) > 2 else settings(free_port())
    print(*filter(None, (chosen.port, chosen.tls_port, chosen.ws_port)), flush=True)
    try:
        Engine(chosen, LinkWithoutDatabase(Path(sys.argv[1]))).run()
    except EngineError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
