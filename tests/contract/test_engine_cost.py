"""The engine's work for a call, a registration and the like stays what it was, on any machine."""

from __future__ import annotations

import pytest

from bench import engine_cost
from sipengine.sip.uri import parse_uri

TOLERANCE = 0.10
OF_ANOTHER_PYTHON = 0.40
"""Other versions make other instructions of the same source."""


@pytest.fixture(scope="module")
def counts() -> dict[str, int]:
    return engine_cost.measured()


def test_every_operation_costs_what_is_recorded(counts: dict[str, int]) -> None:
    version, recorded = engine_cost.recorded()
    tolerance = TOLERANCE if version == engine_cost.version() else OF_ANOTHER_PYTHON
    assert counts.keys() == recorded.keys()
    moved = {
        name: f"{now} instead of {recorded[name]} ({now / recorded[name] - 1:+.1%})"
        for name, now in counts.items()
        if abs(now - recorded[name]) > tolerance * recorded[name]
    }
    assert not moved, (
        f"The engine's own work has changed (instructions of Python and calls into C): {moved}."
        " If that is meant, or it got quicker, record it with `.venv/bin/python bench/engine_cost.py"
        " --record` and commit bench/engine_cost.json; bench/replay.py --profile tells where it goes."
    )


def test_the_count_is_the_same_each_time(counts: dict[str, int]) -> None:
    again = engine_cost.measured()
    for name, now in counts.items():
        assert abs(again[name] - now) <= 0.005 * now, f"{name}: {now}, then {again[name]}"


def test_more_work_is_noticed() -> None:
    uri = f"sip:1001@{engine_cost.version()}.test"
    once = engine_cost.count(lambda: parse_uri(f"{uri};a"))
    thrice = engine_cost.count(lambda: [parse_uri(f"{uri};b={n}") for n in range(3)])
    assert once > 20
    assert 2 * once < thrice < 4 * once
