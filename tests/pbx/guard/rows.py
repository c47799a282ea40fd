"""Bans as the engine would write them."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.utils import timezone

from pbx.guard.models import Ban


def ban(source: str, *, age: float = 60.0, length: float = 300.0, **fields: Any) -> Ban:
    """A ban that began `age` seconds ago and holds for `length` seconds."""
    since = timezone.now() - dt.timedelta(seconds=age)
    values: dict[str, Any] = {
        "id": uuid.uuid4(),
        "revision": 1,
        "source": source,
        "kind": "passwords",
        "reason": "37 wrong passwords for 1001, 1002 in 5 minutes",
        "count": 37,
        "level": 1,
        "since": since,
        "until": since + dt.timedelta(seconds=length),
        "dropped": 12,
    }
    return Ban.objects.create(**{**values, **fields})
