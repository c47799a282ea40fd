from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from pbx.calls.listing import as_json, duration, newest_first, since
from pbx.calls.models import Call

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def test_json_has_the_contracts_keys(add_call: Callable[..., Call]) -> None:
    call = add_call(rule="team")
    assert as_json(call) == {
        "id": str(call.id),
        "call_ids": ["a@phone"],
        "caller": "1001@pbx.example",
        "called": "1002@pbx.example",
        "answered_by": "1002@pbx.example",
        "started": "2026-05-04T12:00:00+00:00",
        "ringing": "2026-05-04T12:00:00.050000+00:00",
        "answered": "2026-05-04T12:00:03+00:00",
        "ended": "2026-05-04T12:01:03+00:00",
        "duration_s": 60.0,
        "result": "answered",
        "sip_status": 200,
        "hangup_by": "caller",
        "rule": "team",
        "reason": "Bob answered; Alice hung up.",
        "quality": None,
    }


def test_duration_is_the_talk(add_call: Callable[..., Call]) -> None:
    assert duration(add_call(answered=None)) == 0.0
    going_on = add_call(ended=None, ringing=None, state="talking")
    assert duration(going_on) is None
    assert (as_json(going_on)["ended"], as_json(going_on)["ringing"]) == (None, None)
    assert duration(add_call(ended=NOON)) == 0.0, "a clock that went back gives no negative time"


def test_newest_first_and_since(add_call: Callable[..., Call]) -> None:
    calls = [add_call(NOON + timedelta(minutes=minute)) for minute in (1, 3, 2)]
    first, third, second = calls
    assert list(newest_first(None)) == [third, second, first]
    assert list(newest_first(NOON + timedelta(minutes=2))) == [third, second]
    assert list(newest_first(None, 1)) == [third]


@pytest.mark.parametrize(
    ("text", "ago"),
    [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86400), (" 1w ", 604800)],
)
def test_since_how_long_ago(text: str, ago: int) -> None:
    assert since(text, NOON) == NOON - timedelta(seconds=ago)


def test_since_iso_times() -> None:
    assert since("2026-05-04T12:00:00+00:00", NOON) == NOON
    assert since("2026-05-04T12:00Z", NOON) == NOON
    assert since("2026-05-04", NOON).tzinfo is not None


@pytest.mark.parametrize("text", ["", "yesterday", "10", "m", "-1h", "1y"])
def test_since_anything_else_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        since(text, NOON)


def test_since_before_all_time() -> None:
    assert since("999999999w", NOON).year == 1
