"""Journals that were left: what they hold is carried before anybody restores.

When an engine of several processes starts, its owner is first, and no worker runs: so what each left is in
Postgres before the process that has the call now looks there, also if there are more or fewer of them than
before. A journal that its process has open is left to it: then only the owner starts again.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import structlog

from pbx.enginelink.publisher import Publisher, nowhere
from pbx.enginelink.recorder import Recorder
from sipengine.journal import Journal, JournalError

PATIENCE_S: Final = 10.0
"""For one of them: ten thousand rows take a second. What is left stays on disk for the next start."""

logger = structlog.get_logger()


def carry_left_journals(database_url: str, owners: Path, count: int) -> None:
    """Carry the journals in the owner's directory that nobody has open; remove those of processes that
    the engine has no more."""
    for directory in sorted(owners.glob("worker-*")):
        number = directory.name.partition("-")[2]
        if number.isdigit():
            _carry(database_url, directory, is_needed=int(number) < count)


def carry(database_url: str, journal: Journal) -> int:
    """Carry an open journal; returns how many bytes of it are left. Blocks."""
    recorder = Recorder(database_url, journal, Publisher(nowhere))
    recorder.start()
    recorder.close(PATIENCE_S)
    return journal.pending_bytes(recorder.position)


def _carry(database_url: str, directory: Path, *, is_needed: bool) -> None:
    try:
        journal = Journal.open(directory)
    except JournalError as error:
        logger.info("a worker's journal is left as it is", why=str(error))
        return
    left = carry(database_url, journal)
    journal.close()
    if left:
        logger.warning(
            "a worker's journal could not be carried to the database now",
            journal=directory.name,
            bytes=left,
        )
    elif not is_needed:
        shutil.rmtree(directory)
        logger.info("a journal of a process that is no more was carried", journal=directory.name)
