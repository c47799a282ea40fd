"""Registrations as the engine would store them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from pbx.registrations.models import Binding


def binding(**fields: Any) -> Binding:
    now = timezone.now()
    values: dict[str, Any] = {
        "aor": "1001@pbx.example",
        "contact": "sip:1001@192.0.2.7:5062",
        "expires_at": now + timedelta(seconds=300),
        "call_id": "r@phone",
        "cseq": 1,
        "transport": "UDP",
        "received": "192.0.2.7:5062",
        "local": "192.0.2.1:5060",
        "user_agent": "Desk Phone 1.0",
        "registered_at": now,
        "updated_at": now,
    }
    return Binding.objects.create(**{**values, **fields})
