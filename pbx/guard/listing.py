"""Bans as the page Guard and the command `bans` list them."""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import Any

from django.db.models import QuerySet

from pbx.guard.models import Ban


def going_on(now: dt.datetime) -> QuerySet[Ban]:
    """Bans that hold now, the newest first."""
    return Ban.objects.filter(until__gt=now, lifted_at=None).order_by("-since", "id")


def over(now: dt.datetime) -> QuerySet[Ban]:
    """Bans that have ended or were lifted, the newest first."""
    return Ban.objects.exclude(until__gt=now, lifted_at=None).order_by("-since", "id")


def of_address(text: str, now: dt.datetime) -> list[Ban]:
    """The bans that hold now for an address, or for a network as the list shows it.

    Raises ValueError if the text is neither.
    """
    wanted = ipaddress.ip_network(text.strip(), strict=False)
    found = []
    for ban in going_on(now):
        banned = ipaddress.ip_network(ban.source)
        if banned.version == wanted.version and banned.overlaps(wanted):
            found.append(ban)
    return found


def as_json(ban: Ban) -> dict[str, Any]:
    return {
        "id": str(ban.pk),
        "address": ban.source,
        "kind": ban.kind,
        "reason": ban.reason,
        "count": ban.count,
        "level": ban.level,
        "since": ban.since.isoformat(),
        "until": ban.until.isoformat(),
        "dropped": ban.dropped,
        "lifted_at": ban.lifted_at.isoformat() if ban.lifted_at else None,
        "lifted_by": ban.lifted_by,
    }
