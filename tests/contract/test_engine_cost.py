"""The engine's work for a call, a registration and the like stays what it was, on any machine."""

from __future__ import annotations

import pytest

from bench import engine_cost

TOLERANCE = 0.10


@pytest.fixture(scope="module")
def counts() -> dict[str, int]:
    return engine_cost.measured()


def test_every_operation_costs_what_is_recorded(counts: dict[str, int]) -> None:
    recorded = engine_cost.recorded()
    if recorded is None:
        pytest.fail(
            f"Nothing is recorded for Python {engine_cost.version()}: run"
            " `.venv/bin/python bench/engine_cost.py --record` and commit bench/engine_cost.json."
        )
    moved = {
        name: f"{now} instead of {recorded.get(name, 0)} ({now / recorded.get(name, 1) - 1:+.1%})"
        for name, now in counts.items()
        if abs(now - recorded.get(name, 0)) > TOLERANCE * recorded.get(name, 0)
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
    from sipengine.sip.uri import parse_uri

    uri = f"sip:1001@{engine_cost.version()}.test"
    once = engine_cost.count(lambda: parse_uri(uri + ";a"))
    thrice = engine_cost.count(lambda: [parse_uri(f"{uri};b={n}") for n in range(3)])
    assert once > 20
    assert 2 * once < thrice < 4 * once
