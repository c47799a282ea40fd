"""The compiled engine answers byte for byte like the sources it is made of (docs/decisions/0005)."""

from __future__ import annotations

import difflib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mypy.main import process_options

from pbx.supervisor import compiled

PROJECT = Path(__file__).resolve().parents[2]
SPOILT = "4000"


@pytest.fixture(scope="module")
def engine() -> Path:
    """The folder of the compiled engine, made by the step of the set-up that `./run` takes."""
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        missing = "a C compiler is missing: apt-get install --no-install-recommends gcc libc6-dev"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    made = subprocess.run(
        ["sh", "-euc", '. "$ROOT/setup/steps.sh"; lock_setup; compile_engine'],
        env={**os.environ, "ROOT": str(PROJECT), "PBX_COMPILE": "on"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    place = compiled.present()
    assert place is not None, made.stdout + made.stderr
    return place


@pytest.mark.timeout(400)
def test_it_passes_the_engines_own_tests(engine: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-m", "not pure", "-p", "no:cacheprovider"),
            "--hypothesis-seed=0",  # new examples are for the run on the sources
            # Else the checkout, where manage.py lies, comes before everything.
            *("-o", "django_find_project=false", "-o", f"pythonpath={engine} ."),
            *("tests/sip", "tests/services", "tests/net"),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"engine: {engine}/sipengine/services/core" in done.stdout
    assert "core.py" not in done.stdout.partition("collected")[0]
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr


def test_it_is_made_without_a_developers_settings() -> None:
    spec = importlib.util.spec_from_file_location("compile_step", PROJECT / "setup" / "compile.py")
    assert spec is not None
    assert spec.loader is not None
    step = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(step)
    _, options = process_options([*step.OPTIONS, "setup/compile.py"])
    assert options.plugins == []
    assert options.disallow_untyped_defs


def played(path: str) -> tuple[str, list[str]]:
    """Where the core was and what it said, with the `sipengine` that is first in `path`."""
    done = subprocess.run(
        [sys.executable, "-P", str(PROJECT / "tests" / "contract" / "replayed.py"), SPOILT],
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.strip(), done.stdout.splitlines()


def test_it_answers_the_same_messages_with_the_same_bytes(engine: Path) -> None:
    pure_core, pure = played(str(PROJECT))
    compiled_core, same = played(str(engine))
    assert pure_core.endswith("core.py")
    assert compiled_core.startswith(str(engine))
    assert not compiled_core.endswith(".py")
    assert len(pure) > 2 * int(SPOILT)
    differences = [pair for pair in zip(pure, same, strict=True) if pair[0] != pair[1]]
    assert not differences, "\n".join(difflib.ndiff([differences[0][0]], [differences[0][1]]))
