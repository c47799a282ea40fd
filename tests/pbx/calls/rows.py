"""Calls as the engine would store them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from pbx.calls.models import Call

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def stored_call(started: datetime = NOON, **fields: Any) -> Call:
    """Store a call in which Alice rang Bob for 3 s and talked with him for 60 s."""
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
