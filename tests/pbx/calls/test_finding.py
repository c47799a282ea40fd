"""Which call `./run trace` means."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from pbx.calls.finding import Ambiguous, find
from pbx.calls.models import Call

FIRST = uuid.UUID("01a204f0-2477-7000-84f7-c13a1722fa60")
SECOND = uuid.UUID("01a204f0-2477-7001-84f7-c13a1722fa60")

AddCall = Callable[..., Call]


@pytest.fixture
def calls(add_call: AddCall) -> list[Call]:
    now = timezone.now()
    return [
        add_call(now - timedelta(hours=1), id=FIRST, call_ids=["a@phone", "second@phone"]),
        add_call(now, id=SECOND, call_ids=["b@phone"]),
    ]


@pytest.mark.parametrize(
    ("text", "which"),
    [
        (str(FIRST), 0),
        (FIRST.hex.upper(), 0),
        ("01a204f0-2477-7001", 1),
        ("01a204f024777000", 0),
        ("a@phone", 0),
        ("second@phone", 0),
        ("last", 1),
    ],
)
def test_call_is_found(calls: list[Call], text: str, which: int) -> None:
    assert find(text) == calls[which]


@pytest.mark.parametrize(
    "text", [str(uuid.UUID(int=7)), "c@phone", "--------", "deadbeef", "", "%"]
)
def test_other_texts_mean_no_call(calls: list[Call], text: str) -> None:
    assert find(text) is None


def test_several_calls_are_listed(calls: list[Call]) -> None:
    with pytest.raises(Ambiguous, match=rf"Several calls begin with 01a204f0:(.|\n)*{FIRST}"):
        find("01a204f0")


def test_without_calls_there_is_no_last(db: None) -> None:
    assert find("last") is None
