"""The call log as CSV, streamed: any length in little memory, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import AsyncIterator, Iterable
from typing import Final

from asgiref.sync import sync_to_async
from django.db.models import QuerySet

from pbx.calls.models import Call
from webui.dashboard.paging import Page

HEADER: Final = (
    "started", "ringing", "answered", "ended", "duration_s", "caller", "caller_name", "called",
    "answered_by", "answered_device", "result", "sip_status", "hangup_by", "rule", "reason", "id",
)  # fmt: skip
_CHUNK: Final = 500  # rows a query: some 200 kB of text

# What a spreadsheet would take for a formula; a plain phone number with its + is none.
_FORMULA: Final = re.compile(r"\s*[=+\-@\t\r]")
_PLAIN_NUMBER: Final = re.compile(r"\+?[0-9]+")


async def stream(calls: QuerySet[Call], zone: dt.tzinfo) -> AsyncIterator[bytes]:
    """Chunks of CSV, newest call first; times are ISO 8601 in `zone`.

    The chunks are made after the request, when its time zone is no longer the current one.
    """
    yield _lines([HEADER])
    cursor = ""
    while True:
        page = await sync_to_async(Page.read)(
            calls, ("-started", "-id"), _CHUNK, {"after": cursor} if cursor else {}
        )
        yield _lines(_row(call, zone) for call in page.rows)
        cursor = page.next
        if not cursor:
            return


def safe_cell(text: str) -> str:
    """The text, with an apostrophe before it if a spreadsheet would calculate it."""
    if _FORMULA.match(text) and not _PLAIN_NUMBER.fullmatch(text):
        return "'" + text
    return text


def _row(call: Call, zone: dt.tzinfo) -> list[str]:
    def when(moment: dt.datetime | None) -> str:
        return moment.astimezone(zone).isoformat(timespec="milliseconds") if moment else ""

    talked = (call.ended - call.answered).total_seconds() if call.answered and call.ended else None
    cells = (
        when(call.started), when(call.ringing), when(call.answered), when(call.ended),
        "" if talked is None else f"{talked:.1f}", call.caller, call.caller_name, call.called,
        call.answered_by, call.answered_device, call.result or call.state,
        str(call.sip_status or ""), call.hangup_by, call.rule, call.reason, str(call.id),
    )  # fmt: skip
    return [safe_cell(cell) for cell in cells]


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
