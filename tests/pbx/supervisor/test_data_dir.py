"""What a data directory must be like for a start, and what is said of one that is not."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pbx.disk import free_bytes
from pbx.supervisor import data_dir
from pbx.supervisor.data_dir import DataDirTrouble


def with_room(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(data_dir, "free_bytes", lambda _: size)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirTrouble, match=r"PBX_DATA_DIR=.*cannot be written"):
        data_dir.make(tmp_path / "file" / "data")


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EROFS, "Read-only file system; mount its disk for writing"),
        (errno.ENOSPC, "No space left on device; make room"),
        (errno.EACCES, "Permission denied; give a directory that this user owns"),
    ],
)
def test_what_a_new_file_meets_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("pbx.disk.os.open", refuse)
    with pytest.raises(DataDirTrouble, match=f"cannot be written: {says}"):
        data_dir.make(tmp_path)


def test_data_of_somebody_else_are_told_with_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets").mkdir()
    monkeypatch.setattr("pbx.supervisor.data_dir.os.geteuid", lambda: 54321)
    with pytest.raises(DataDirTrouble, match=r"its secrets belongs to the user .*; start it as"):
        data_dir.make(tmp_path)
    monkeypatch.setattr("pbx.supervisor.data_dir.os.geteuid", lambda: 0)
    data_dir.make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["secrets"], "nothing is left of the try"


def test_a_first_start_needs_room_for_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_room(monkeypatch, 50_000_000)
    with pytest.raises(DataDirTrouble, match="has 50 MB left and a first start takes 80 MB; make"):
        data_dir.check_room(tmp_path)


def test_a_later_start_needs_little_and_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = tmp_path / "postgres" / "global" / "pg_control"
    control.parent.mkdir(parents=True)
    control.touch()
    with_room(monkeypatch, 50_000_000)
    assert data_dir.check_room(tmp_path).endswith(
        "its disk has 50 MB left; make room soon: when it is full, registrations are refused"
    )
    with_room(monkeypatch, 1_000_000)
    with pytest.raises(DataDirTrouble, match="has 1 MB left and a start takes 4 MB"):
        data_dir.check_room(tmp_path)
    with_room(monkeypatch, 500_000_000)
    assert data_dir.check_room(tmp_path) == ""


def test_the_room_is_that_of_the_directory_s_disk(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)
    assert free_bytes(tmp_path) == pytest.approx(status.f_bavail * status.f_frsize, rel=0.2)
    assert free_bytes(tmp_path / "nowhere") is None
