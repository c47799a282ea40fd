"""`calls [--since TIME] [--limit N] [--json]`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.core.management.base import CommandParser
from django.utils import timezone

from pbx.calls.listing import as_json, duration, newest_first, since
from pbx.configfile.command import DatabaseCommand, Refused
from pbx.configfile.printing import json_list, table

_SHOWN: Final = 50


class Command(DatabaseCommand):
    help = "List the call log, newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since",
            metavar="TIME",
            help="calls that started since then: how long ago (10m, 2h, 1d) or 2026-05-04T08:30",
        )
        parser.add_argument(
            "--limit",
            type=_count,
            help=f"so many calls at most; {_SHOWN} if left out, all with --json or --since",
        )
        parser.add_argument("--json", action="store_true", help="as a JSON list of objects")

    def prepare(self, **options: Any) -> None:
        self._since: datetime | None = None
        if options["since"] is not None:
            try:
                self._since = since(options["since"], timezone.now())
            except ValueError as error:
                raise Refused(str(error)) from None

    def work(self, **options: Any) -> None:
        limit = options["limit"]
        if options["json"]:
            lines = json_list(as_json(call) for call in newest_first(self._since, limit))
        else:
            if limit is None and self._since is None:
                limit = _SHOWN
            heads = ("ID", "STARTED", "FROM", "TO", "RESULT", "SECONDS", "WHY")
            lines = table(heads, _rows(self._since, limit))
        for line in lines:
            self.stdout.write(line, ending="")


def _rows(since: datetime | None, limit: int | None) -> Iterator[tuple[str, ...]]:
    for call in newest_first(since, limit):
        seconds = duration(call)
        yield (
            str(call.pk),
            f"{call.started.astimezone():%Y-%m-%d %H:%M:%S}",
            call.caller,
            call.called,
            call.result or call.state,
            "" if seconds is None else f"{seconds:.0f}",
            call.reason,
        )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError("give a whole number from 1 up")
    return int(text)
