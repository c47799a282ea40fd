"""Which engine the supervisor starts: the compiled one while it is made of the present sources."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pbx.environment import Environment
from pbx.supervisor import compiled, parts
from tests.support.pbx_process import PbxProcess


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout with an engine that is compiled."""
    for name in ("sipengine/services/core.py", "setup/compile.py", "setup/compile.requirements"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("1")
    monkeypatch.setattr(compiled, "PROJECT", tmp_path)
    monkeypatch.setattr(compiled, "PACKAGE", tmp_path / "sipengine")
    monkeypatch.setattr(compiled, "MAKERS", tuple((tmp_path / "setup").iterdir()))
    monkeypatch.setattr(compiled, "HOME", tmp_path / "compiled")
    (tmp_path / "compiled" / compiled.digest()).mkdir(parents=True)
    return tmp_path


def path_of_the_engine(**variables: str) -> list[str]:
    environment = Environment.load({"PBX_BIND": "127.0.0.1", **variables})
    plan = parts.engine(environment, None, {})
    assert plan.fresh_environment is not None
    given = plan.fresh_environment()
    # Else the directory it starts in, the checkout, came first and the compiled one never.
    assert given["PYTHONSAFEPATH"] == "1"
    return given["PYTHONPATH"].split(os.pathsep)


def test_the_compiled_engine_comes_first_and_the_rest_from_the_checkout(checkout: Path) -> None:
    assert path_of_the_engine() == [str(compiled.HOME / compiled.digest()), str(checkout)]


@pytest.mark.parametrize(
    "name", ["sipengine/services/core.py", "setup/compile.py", "setup/compile.requirements"]
)
def test_a_file_that_differs_means_pure_python_until_it_is_as_before(
    checkout: Path, name: str
) -> None:
    (checkout / name).write_text("2")
    assert path_of_the_engine() == [str(checkout)]
    (checkout / name).write_text("1")
    assert len(path_of_the_engine()) == 2


def test_a_new_source_means_pure_python(checkout: Path) -> None:
    (checkout / "sipengine" / "services" / "later.py").touch()
    assert path_of_the_engine() == [str(checkout)]


def test_no_maker_means_pure_python(checkout: Path) -> None:
    (checkout / "setup" / "compile.py").unlink()
    assert path_of_the_engine() == [str(checkout)]


def test_pbx_compile_off_means_pure_python(checkout: Path) -> None:
    assert path_of_the_engine(PBX_COMPILE="off") == [str(checkout)]
    assert path_of_the_engine(PBX_COMPILE="0") == [str(checkout)]


@pytest.mark.parametrize("wanted", ["on", "off"])
def test_the_engine_tells_in_its_log_which_one_it_is(wanted: str) -> None:
    """With `on` that is the compiled one wherever the set-up could make it."""
    with PbxProcess(only="engine", environment={"PBX_COMPILE": wanted}) as pbx:
        assert "-m sipengine" in pbx.engine().command
        log = (pbx.root / "data" / "log" / "engine.log").read_text()
        expected = wanted == "on" and compiled.present() is not None
    ready = next(line for line in log.splitlines() if "engine ready" in line)
    assert ready.endswith(f"compiled={str(expected).lower()}")
