"""What several processes of the engine say of themselves, together."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from pbx.enginelink.engines import Engines
from pbx.enginelink.models import EngineStatus

pytestmark = pytest.mark.django_db


def phone(account: str, count: int, first: float, last: float) -> dict[str, Any]:
    return {
        "account": account, "source": "192.0.2.7", "device": "desk", "count": count,
        "first": first, "last": last,
    }  # fmt: skip


def row(name: str, age: float = 1.0, refused: tuple[Any, ...] = (), **counters: int) -> None:
    moment = timezone.now() - dt.timedelta(seconds=age)
    EngineStatus.objects.create(
        name=name, pid=1, started_at=moment, heartbeat_at=moment, counters=counters,
        refused=list(refused),
    )  # fmt: skip


def test_before_the_first_report_nothing_is_known() -> None:
    engines = Engines()
    assert engines.first is None
    assert (engines.refused(), engines.count("guard_dropped")) == ([], 0)
    assert engines.missing(timezone.now(), 15) == 1


def test_a_phone_that_several_processes_refused_is_one_phone() -> None:
    row("engine", refused=(phone("1001@a", 3, 10, 20), phone("1002@a", 1, 30, 30)))
    row("engine-1", refused=(phone("1001@a", 2, 5, 40),))
    assert Engines().refused() == [phone("1001@a", 5, 5, 40), phone("1002@a", 1, 30, 30)]


def test_counters_of_all_are_added() -> None:
    row("engine", guard_dropped=3)
    row("engine-1", guard_dropped=4)
    row("engine-2")
    assert Engines().count("guard_dropped") == 7


def test_a_process_that_is_late_or_never_came_is_missing() -> None:
    row("engine", crew_processes_now=4)
    row("engine-1")
    row("engine-2", age=40)
    assert Engines().missing(timezone.now(), 15) == 2
