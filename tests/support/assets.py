"""The front end's files and packages, built by its own build script."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[2] / "webui" / "assets"


def build_assets(*words: str) -> None:
    """`webui/assets/build WORDS`, by one worker at a time: the next then finds it done."""
    with (ASSETS / "build").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([ASSETS / "build", *words], check=True, timeout=300)
