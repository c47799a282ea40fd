"""The command line speaks of `./run`, which people type, and of no file behind it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("arguments", [("nosuch",), ("export", "--nosuch")])
def test_a_mistyped_command_names_run(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PBX_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "nosuch" in done.stderr
    assert "run" in done.stderr
    assert "manage.py" not in done.stderr
    assert "Traceback" not in done.stderr
