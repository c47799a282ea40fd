from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pbx.calls.models import Call

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def add_call(db: None) -> Callable[..., Call]:
    """Store a call as the engine would: Alice rang Bob for 3 s and talked with him for 60 s."""

    def add(started: datetime = NOON, **fields: Any) -> Call:
        values: dict[str, Any] = {
            "id": uuid.uuid4(),
            "revision": 4,
            "domain": "pbx.example",
            "call_ids": ["a@phone"],
            "tags": ["f", "t"],
            "state": "ended",
            "caller": "1001@pbx.example",
            "called": "1002@pbx.example",
            "answered_by": "1002@pbx.example",
            "started": started,
            "ringing": started + timedelta(milliseconds=50),
            "answered": started + timedelta(seconds=3),
            "ended": started + timedelta(seconds=63),
            "result": "answered",
            "sip_status": 200,
            "hangup_by": "caller",
            "reason": "Bob answered; Alice hung up.",
        }
        call = Call.objects.create(**{**values, **fields})
        call.legs.create(position=0, target="1002@pbx.example", contact="sip:b", started=started)
        return call

    return add
