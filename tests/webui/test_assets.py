"""The front end's build: types, the lock file, and that nothing is built twice."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

ASSETS = Path(__file__).resolve().parents[2] / "webui" / "assets"


def test_the_scripts_types_are_right(front_end_tools: Path) -> None:
    checked = subprocess.run(
        [ASSETS / "build", "check"], capture_output=True, text=True, timeout=300, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_lock_file_names_packages_by_hash_and_no_registry() -> None:
    lock = json.loads((ASSETS / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for name, entry in packages.items():
        assert "resolved" not in entry, name
        assert entry["integrity"].startswith("sha512-"), name
    manifest = json.loads((ASSETS / "package.json").read_text())
    for versions in (manifest["dependencies"], manifest["devDependencies"]):
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())


def test_a_second_build_does_nothing(static_root: Path) -> None:
    built = ASSETS.parent / "static" / "branchline" / "app.js"
    before = built.stat().st_mtime_ns
    again = subprocess.run(
        [ASSETS / "build"], capture_output=True, text=True, timeout=60, check=True,
        env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert "up to date" in again.stdout
    assert built.stat().st_mtime_ns == before


def test_no_style_or_script_reaches_for_another_host(static_root: Path) -> None:
    built = ASSETS.parent / "static" / "branchline"
    for file in (*built.glob("*.css"), built / "icons.svg"):
        found = set(re.findall(r"https?://[^\s\"')]+", file.read_text()))
        assert found <= {"http://www.w3.org/2000/svg"}, file.name
