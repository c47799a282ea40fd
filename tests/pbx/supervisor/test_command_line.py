"""The command line speaks of `./run`, which people type, and of no file behind it."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pbx.command_line import COMMANDS

ROOT = Path(__file__).resolve().parents[3]


def run(directory: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PBX_DATA_DIR": str(directory), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "status"), [(("nosuch",), 1), (("--nosuch",), 1), (("export", "--nosuch"), 2)]
)
def test_a_mistyped_command_names_run(tmp_path: Path, words: tuple[str, ...], status: int) -> None:
    done = run(tmp_path, *words)
    assert done.returncode == status
    assert "nosuch" in done.stderr
    assert "./run" in done.stderr
    assert "manage.py" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_guess_is_one_of_our_own(tmp_path: Path) -> None:
    assert "Did you mean calls?" in run(tmp_path, "cals").stderr
    assert "Did you mean" not in run(tmp_path, "flus").stderr, "Django's flush empties the database"


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
def test_help_lists_what_an_operator_needs_and_nothing_of_the_framework(
    tmp_path: Path, word: str
) -> None:
    done = run(tmp_path, word)
    assert done.returncode == 0
    listed = dict(re.findall(r"^  (\w+) +(.+)$", done.stdout, re.MULTILINE))
    assert listed == COMMANDS
    assert all(len(line) <= 80 for line in done.stdout.splitlines()[2:-2])


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_has_its_own_options_only(tmp_path: Path, name: str) -> None:
    for words in ((name, "--help"), ("help", name)):
        done = run(tmp_path, *words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"usage: ./run {name} ")
        for option in ("--pythonpath", "--settings", "--traceback", "--version", "--database"):
            assert option not in done.stdout


def test_the_version_is_the_product_s(tmp_path: Path) -> None:
    assert re.fullmatch(r"Branchline \d+\.\d+\S*\n", run(tmp_path, "--version").stdout)


def test_a_wrong_variable_is_one_line_for_a_command_too(tmp_path: Path) -> None:
    done = run(tmp_path, "calls", PBX_SIP_PORT="abc")
    assert (done.returncode, done.stderr) == (
        1,
        "PBX_SIP_PORT=abc: not a port number; give 1-65535\n",
    )


def test_borrowed_commands_find_a_database_while_the_pbx_does_not_run() -> None:
    with tempfile.TemporaryDirectory(prefix="branchline-") as directory:
        Path(directory).chmod(0o711)
        done = run(Path(directory) / "data", "axes_reset")
        assert (done.returncode, done.stderr) == (0, "")
        done = run(Path(directory) / "data", "changepassword", "nobody")
        assert "Traceback" not in done.stderr
        assert "user 'nobody' does not exist" in done.stderr
        assert done.returncode == 1
