"""What holds of every source file: style, types, who imports whom, names and sizes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("pbx", "sipengine", "webui", "migrations", "tests")
LINES_MAX = 400
TEST_LINES_MAX = 600
CATCH_ALL_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "extras", "constants"}


def sources() -> list[Path]:
    return [
        file
        for package in PACKAGES
        for file in sorted((PROJECT / package).rglob("*.py"))
        if "node_modules" not in file.parts
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "ruff", "check", "."],
        ["-m", "ruff", "format", "--check", "."],
        ["-m", "mypy"],
        ["-c", "from importlinter.cli import lint_imports_command as main; main()"],
        ["manage.py", "makemigrations", "--check", "--dry-run"],
        ["manage.py", "check", "--fail-level", "WARNING"],
    ],
    ids=["style", "format", "types", "imports", "migrations", "django"],
)
@pytest.mark.timeout(300)
def test_checker_finds_nothing(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *words], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {
        str(file.relative_to(PROJECT)): lines
        for file in sources()
        if (lines := len(file.read_text().splitlines()))
        > (TEST_LINES_MAX if file.is_relative_to(PROJECT / "tests") else LINES_MAX)
    }
    assert not long, f"split these by a word of the domain: {long}"


def test_every_file_is_named_by_what_it_is_about() -> None:
    vague = [str(file) for file in sources() if {file.stem, *file.parts} & CATCH_ALL_NAMES]
    assert not vague


def test_every_package_on_the_system_is_named_once() -> None:
    lines = (PROJECT / "tests" / "system-packages.txt").read_text().splitlines()
    names = [line.partition("#")[0].strip() for line in lines]
    names = [name for name in names if name]
    assert names
    assert len(names) == len(set(names))
