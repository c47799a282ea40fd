"""The engine's heartbeat and counters: one row, for health, metrics and the dashboard."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Final, LiteralString

import msgspec
import psycopg

from pbx.enginelink.engine_process import EngineProcess
from sipengine.api import RefusedPhone

_STATUS: Final[LiteralString] = """
INSERT INTO enginelink_enginestatus (name, pid, started_at, heartbeat_at, generation, counters,
    refused)
VALUES (%s, %s, to_timestamp(%s), to_timestamp(%s), %s, %s::jsonb, %s::jsonb)
ON CONFLICT (name) DO UPDATE SET pid = excluded.pid, started_at = excluded.started_at,
    heartbeat_at = excluded.heartbeat_at, generation = excluded.generation,
    counters = excluded.counters, refused = excluded.refused
"""


@dataclass(frozen=True, slots=True)
class Status:
    """What one engine says of itself at one moment. Times are wall-clock seconds."""

    name: str
    started_at: float
    generation: int
    counters: dict[str, int | float]
    refused: tuple[RefusedPhone, ...] = ()
    heartbeat_at: float = field(default_factory=time.time)


def forget_status_of_others(connection: psycopg.Connection, process: EngineProcess) -> None:
    """Remove the rows of processes that the engine had once. Raises `psycopg.Error`."""
    names = [EngineProcess(number, process.count).name for number in range(process.count)]
    connection.execute("DELETE FROM enginelink_enginestatus WHERE name <> ALL(%s)", (names,))


def store_status(connection: psycopg.Connection, status: Status) -> None:
    """Make the engine's row say `status`. Raises `psycopg.Error`."""
    connection.execute(
        _STATUS,
        (
            status.name,
            os.getpid(),
            status.started_at,
            status.heartbeat_at,
            status.generation,
            msgspec.json.encode(status.counters).decode(),
            msgspec.json.encode(status.refused).decode(),
        ),
    )
