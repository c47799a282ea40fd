"""The tables of this version, and those of a newer one."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from pbx.supervisor import schema
from pbx.supervisor.cluster import PostgresTrouble


@pytest.mark.django_db
def test_a_newer_version_s_tables_are_told_in_one_line_and_left_alone() -> None:
    assert not schema.migrate()
    MigrationRecorder(connection).record_applied("calls", "0099_from_the_future")
    with pytest.raises(PostgresTrouble) as told:
        schema.migrate()
    assert str(told.value) == (
        "the database was used by a newer version of Branchline, which made "
        "calls.0099_from_the_future; start that version, or restore the backup made before the upgrade"
    )
