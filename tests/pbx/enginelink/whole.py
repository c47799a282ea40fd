"""A restored state with its stream of bindings gone through, so that the connection is free again."""

from __future__ import annotations

from dataclasses import replace

import psycopg

from pbx.enginelink.restoring import restore
from sipengine.api import BindingRecord, Restored
from sipengine.journal import Journal


def restored_whole(journal: Journal, connection: psycopg.Connection) -> Restored:
    """What `restore` returns; its bindings can still be gone through once."""
    restored = restore(journal, connection)
    return replace(restored, bindings=iter(list(restored.bindings)))


def bindings_of(journal: Journal, connection: psycopg.Connection) -> list[BindingRecord]:
    return list(restore(journal, connection).bindings)
