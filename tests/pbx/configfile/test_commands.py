from __future__ import annotations

import io
import json
import logging
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import call_command

from pbx.configfile import command
from pbx.configfile.printing import json_list, table
from pbx.directory.models import Domain, Extension
from pbx.supervisor.cluster import PostgresTrouble
from tests.pbx.calls.rows import stored_call
from tests.pbx.registrations.rows import binding

FILE = """version: 1
domain: pbx.example
extensions:
  - {number: "1001", name: Alice, password: s3cret-alice, forward: {busy: "1002"}}
  - {number: "1002", name: Bob}
rules:
  - {name: moved, called: "1999", action: redirect, targets: ["1001"]}
  - {name: closed, called: "16*", action: reject, status: 603}
"""


@pytest.fixture(autouse=True)
def database_is_there(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own database stands for the one that the commands would start."""

    @contextmanager
    def running() -> Iterator[None]:
        yield

    monkeypatch.setattr(command, "running", running)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pbx.yaml"
    path.write_text(FILE)
    return path


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command(*(str(argument) for argument in arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def refused(*arguments: object) -> str:
    errors = io.StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command(*(str(one) for one in arguments), stdout=io.StringIO(), stderr=errors)
    assert exit_.value.code == 1
    return errors.getvalue()


def test_apply(file: Path) -> None:
    assert run("apply", file, "--dry-run").startswith("This would be done (nothing was changed):")
    assert not Domain.objects.exists()
    assert "Extensions: 2 added." in run("apply", file)
    assert run("apply", file) == "There is nothing to change.\n"
    file.write_text("version: 1\ndomain: pbx.example\n")
    assert run("apply", file, "--prune") == "Extensions: 2 removed.\nRules: 2 removed.\n"


def test_bad_file_tells_every_line_and_changes_nothing(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    run("apply", file)
    file.write_text(FILE.replace("Bob", "Bobby").replace("603", "200").replace('"1001",', '"1 1",'))
    text = refused("apply", file)
    assert "line 4: extensions[0].number: “1 1” is not a number" in text
    assert "line 8: rules[1].status: 200 is too small; give 400 to 699" in text
    assert f"2 errors in {file}. Nothing was changed." in text
    assert Extension.objects.get(number="1002").name == "Bob"
    assert "s3cret" not in text + caplog.text


def test_bad_file_needs_no_database(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "running", None)
    file.write_text("version: 2")
    assert "line 1: version" in refused("apply", file)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    assert refused("apply", path) == f"{path}: No such file or directory. Nothing was changed.\n"
    assert "Is a directory" in refused("apply", tmp_path)


@pytest.mark.django_db(transaction=True)  # it sets its transaction's isolation
def test_export_is_what_apply_takes(file: Path, tmp_path: Path) -> None:
    assert "no domain yet" in refused("export")
    run("apply", file)
    out = tmp_path / "out.yaml"
    run("export", out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600, "hashes are secrets"
    assert run("export") == out.read_text()
    assert "s3cret" not in out.read_text()
    assert run("apply", out) == "There is nothing to change.\n"
    run("export", out)
    assert run("export") == out.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"pbx.yaml", "out.yaml"}
    assert "There is no domain other.example" in refused("export", "--domain", "other.example")
    assert "No such file" in refused("export", tmp_path / "none" / "out.yaml")


def test_trouble_with_the_database_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def running() -> Iterator[None]:
        raise PostgresTrouble("The database does not answer.")
        yield

    monkeypatch.setattr(command, "running", running)
    assert refused("bindings") == "The database does not answer.\n"


def test_bindings() -> None:
    assert json.loads(run("bindings", "--json")) == []
    binding(user_agent="Phone\x1b[2J")
    (found,) = json.loads(run("bindings", "--json"))
    assert (found["aor"], found["transport"]) == ("1001@pbx.example", "UDP")
    assert 295 <= found["expires"] <= 300
    text = run("bindings")
    assert "192.0.2.7:5062" in text
    assert "\x1b" not in text


def test_calls() -> None:
    old = stored_call(datetime(2026, 5, 4, 12, 0, tzinfo=UTC))
    new = stored_call(datetime(2026, 5, 4, 13, 0, tzinfo=UTC))
    found = json.loads(run("calls", "--json"))
    assert [call["id"] for call in found] == [str(new.id), str(old.id)]
    found = json.loads(run("calls", "--json", "--since", "2026-05-04T12:30Z"))
    assert [call["id"] for call in found] == [str(new.id)]
    assert json.loads(run("calls", "--json", "--since", "1s")) == []
    assert len(run("calls", "--limit", "1").splitlines()) == 2
    assert "Bob answered; Alice hung up." in run("calls")
    assert "is not a time" in refused("calls", "--since", "yesterday")


@pytest.mark.django_db(transaction=True)  # it sets its transaction's isolation
def test_simulate(file: Path) -> None:
    run("apply", file)
    text = run("simulate", "--from", "1001", "--to", "1601")
    assert "Rule “moved” (1999) does not match 1601." in text
    assert "Rule “closed” (16*) matches 1601." in text
    assert "603" in text
    found = json.loads(run("simulate", "--from", "1002", "--to", "1001@PBX.example", "--json"))
    assert found["stages"][0]["ring"] == ["1001@pbx.example"]
    assert found["stages"][1] == {"when": "busy", "ring": ["1002@pbx.example"], "timeout": 60}
    assert any("No extension" in line or "Extension 1001" in line for line in found["trace"])
    found = json.loads(run("simulate", "--from", "x@y", "--to", "404", "--json"))
    assert (found["decision"], found["status"]) == ("reject", 404)
    found = json.loads(run("simulate", "--from", "1", "--to", "sip:1999@pbx.example", "--json"))
    assert (found["rule"], found["contacts"]) == ("moved", ["sip:1001@pbx.example"])
    assert "not a domain of this server" in refused(
        "simulate", "--from", "1", "--to", "1@x.example"
    )
    assert "not a time" in refused("simulate", "--from", "1", "--to", "2", "--at", "noon")


def test_table_columns_stand_below_each_other() -> None:
    rows = [("a", "bb"), ("ccc", "d")]
    assert list(table(("X", "Y"), rows)) == ["X    Y\n", "a    bb\n", "ccc  d\n"]


def test_table_reads_its_rows_as_it_goes() -> None:
    endless = ((str(number),) for number in iter(int, 1))
    lines = table(("N",), endless)
    assert [next(lines) for _ in range(500)][-1] == "0\n"


def test_json_list_is_json_however_long() -> None:
    for count in (0, 1, 3):
        objects = [{"n": number} for number in range(count)]
        assert json.loads("".join(json_list(objects))) == objects
