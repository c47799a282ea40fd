"""`bans [--all] [--json]`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

from django.core.management.base import CommandParser
from django.utils import timezone

from pbx.configfile.command import DatabaseCommand
from pbx.configfile.printing import json_list, table
from pbx.guard.listing import as_json, going_on
from pbx.guard.models import Ban

_MOST: Final = 1000
"""More than these nobody reads in a terminal."""


class Command(DatabaseCommand):
    help = "List the addresses that the guard has shut out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="as a JSON list of objects")
        parser.add_argument("--all", action="store_true", help="those that are over, too")

    def work(self, **options: Any) -> None:
        now = timezone.now()
        bans = Ban.objects.order_by("-since", "id") if options["all"] else going_on(now)
        if options["json"]:
            lines = json_list(as_json(ban) for ban in bans[:_MOST])
        else:
            heads = ("ADDRESS", "SINCE", "UNTIL", "DROPPED", "WHY")
            lines = table(heads, _rows(bans[:_MOST], now))
        for line in lines:
            self.stdout.write(line, ending="")


def _rows(bans: Any, now: dt.datetime) -> Iterator[tuple[str, ...]]:
    for ban in bans:
        end = f"{ban.until.astimezone():%Y-%m-%d %H:%M:%S}"
        if ban.lifted_at is not None:
            end = f"lifted by {ban.lifted_by}"
        elif ban.until <= now:
            end += " (over)"
        since = f"{ban.since.astimezone():%Y-%m-%d %H:%M:%S}"
        yield ban.source, since, end, str(ban.dropped), ban.reason
