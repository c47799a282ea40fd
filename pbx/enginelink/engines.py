"""What the processes of the engine last said of themselves, together."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pbx.enginelink.engine_process import ENGINE
from pbx.enginelink.models import EngineStatus

Refused = dict[str, Any]
"""As `sipengine.api.RefusedPhone`."""


class Engines:
    """The rows of all processes, as they were at one moment."""

    def __init__(self) -> None:
        self.rows = list(EngineStatus.objects.order_by("name"))
        self.first = next((row for row in self.rows if row.name == ENGINE), None)
        """The one process, or the owner of several; None before it has reported."""

    def refused(self) -> list[Refused]:
        """The phones that gave wrong passwords, the latest first; one that several processes saw once."""
        together: dict[tuple[str, str], Refused] = {}
        for row in self.rows:
            for phone in row.refused:
                key = phone["account"], phone["source"]
                together[key] = _both(together[key], phone) if key in together else phone
        return sorted(together.values(), key=lambda phone: -float(phone["last"]))

    def count(self, name: str) -> int:
        """A counter, of all processes together."""
        return sum(int(row.counters.get(name, 0)) for row in self.rows)

    def missing(self, now: dt.datetime, late_s: float) -> int:
        """How many of the processes that there should be have not reported for so long."""
        if self.first is None:
            return 1
        wanted = int(self.first.counters.get("crew_processes_now", 1))
        there = [row for row in self.rows if (now - row.heartbeat_at).total_seconds() <= late_s]
        return max(0, wanted - len(there))


def _both(one: Refused, other: Refused) -> Refused:
    later = max(one, other, key=lambda phone: float(phone["last"]))
    return {
        **later,
        "count": one["count"] + other["count"],
        "first": min(one["first"], other["first"]),
    }
