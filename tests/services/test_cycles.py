"""What is done often leaves no cycles, so nothing has to look for them while there is work."""

from __future__ import annotations

import gc

from tests.services.test_soak import Office

OPERATIONS = 1_500


def test_an_office_at_work_leaves_nothing_for_the_garbage_collector() -> None:
    office = Office(20261123)
    for _ in range(OPERATIONS // 5):
        office.step()
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(OPERATIONS):
            office.step()
        left = gc.collect()
    finally:
        if enabled:
            gc.enable()
    assert left < OPERATIONS / 100, f"{left} objects in cycles after {OPERATIONS} operations"
