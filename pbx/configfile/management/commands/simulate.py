"""`simulate --from 1001 --to 004312345 [--at TIME] [--json]`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from pbx.configfile.command import DatabaseCommand, Refused
from pbx.configfile.simulating import as_json, decide, load_snapshot, split_address, tell


class Command(DatabaseCommand):
    help = "Tell what would happen to a call, and why: every rule that is tried."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", required=True, help="who calls, such as 1001")
        parser.add_argument("--to", required=True, help="what is called, such as 004312345")
        parser.add_argument(
            "--at", metavar="TIME", help="when, such as 2026-05-04T08:30; now if left out"
        )
        parser.add_argument("--json", action="store_true", help="as a JSON object")

    def prepare(self, **options: Any) -> None:
        self._at = _time(options["at"])

    def work(self, **options: Any) -> None:
        snapshot = load_snapshot()
        try:
            called, domain = split_address(options["to"], snapshot)
        except ValueError as error:
            raise Refused(str(error)) from None
        caller = options["from"]
        decision = decide(snapshot, called, domain)
        if options["json"]:
            result = as_json(caller, called, self._at, decision)
            self.stdout.write(json.dumps(result, ensure_ascii=False, indent=2))
            return
        self.stdout.write(f"{caller} calls {called} at {domain or 'no domain'}:")
        for line in tell(decision):
            self.stdout.write(f"  {line}")


def _time(text: str | None) -> datetime:
    if text is None:
        return timezone.now()
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        raise Refused(f"“{text}” is not a time. Give one such as 2026-05-04T08:30.") from None
