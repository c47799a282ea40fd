"""The call log as `calls` lists it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pbx.calls.models import Call
from pbx.calls.quality import read

_CHUNK: Final = 1000
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def newest_first(since: datetime | None, limit: int | None = None) -> Iterator[Call]:
    """Yield calls that started at or after `since`; a server-side cursor bounds the memory."""
    rows = Call.objects.order_by("-started", "-id").defer("tags", "decision")
    if since is not None:
        rows = rows.filter(started__gte=since)
    if limit is not None:
        rows = rows[:limit]
    return rows.iterator(chunk_size=_CHUNK)


def since(text: str, now: datetime) -> datetime:
    """Understand `10m`, `2h`, `1d` and the like as that long ago, or an ISO 8601 time.

    A time without a zone is in the zone of this machine. Raises ValueError in words.
    """
    if ago := re.fullmatch(r"([0-9]{1,9})([smhdw])", text.strip()):
        try:
            return now - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC)
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        raise ValueError(
            f"“{text}” is not a time. Give how long ago (10m, 2h, 1d) or a time such as "
            "2026-05-04T08:30."
        ) from None


def duration(call: Call) -> float | None:
    """Seconds of talk: 0 if nobody answered, None while the call goes on."""
    if call.ended is None:
        return None
    if call.answered is None:
        return 0.0
    return max(0.0, round((call.ended - call.answered).total_seconds(), 3))


def as_json(call: Call) -> dict[str, Any]:
    """Return one call as the contract names it."""
    return {
        "id": str(call.id),
        "call_ids": call.call_ids,
        "caller": call.caller,
        "called": call.called,
        "answered_by": call.answered_by,
        "started": call.started.isoformat(),
        "ringing": _time(call.ringing),
        "answered": _time(call.answered),
        "ended": _time(call.ended),
        "duration_s": duration(call),
        "result": call.result,
        "sip_status": call.sip_status,
        "hangup_by": call.hangup_by,
        "rule": call.rule,
        "reason": call.reason,
        "quality": read(call.quality),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
