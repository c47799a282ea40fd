"""Registrations as `bindings` lists them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from pbx.registrations.models import Binding

_CHUNK: Final = 1000


def current_bindings(now: datetime) -> Iterator[Binding]:
    """Yield the bindings that have not expired, by AOR; a server-side cursor bounds the memory."""
    rows = Binding.objects.filter(expires_at__gt=now).order_by("aor", "registered_at", "pk")
    return rows.iterator(chunk_size=_CHUNK)


def as_json(binding: Binding, now: datetime) -> dict[str, Any]:
    """Return one binding as the contract names it; `expires` is seconds left.

    `unreachable_since` is when a phone behind NAT stopped answering, null while it answers.
    """
    silent = binding.unreachable_since
    return {
        "aor": binding.aor,
        "contact": binding.contact,
        "received": binding.received,
        "transport": binding.transport,
        "expires": seconds_left(binding, now),
        "expires_at": binding.expires_at.isoformat(),
        "user_agent": binding.user_agent,
        "unreachable_since": silent.isoformat() if silent else None,
    }


def seconds_left(binding: Binding, now: datetime) -> int:
    return max(0, round((binding.expires_at - now).total_seconds()))
