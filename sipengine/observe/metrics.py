"""Every counter of the engine, by name, in one flat dictionary for the status row.

Prefixes say who counts: `udp_`, `tcp_` and `resolver_` the transports, `journal_` what goes to
disk, `config_`, `ship_` and `hints_` the link to the database, the rest the core.
`sipengine/meanings.py` says what they mean.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from time import process_time

Counters = dict[str, int | float]


def collect(*parts: Mapping[str, int | float]) -> Counters:
    """All parts together, with what the process itself knows."""
    total: Counters = {
        "cpu_seconds": round(process_time(), 3),
        "memory_peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    for part in parts:
        total.update(part)
    return total
