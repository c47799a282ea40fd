"""`bindings [--json]`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from pbx.configfile.command import DatabaseCommand
from pbx.configfile.printing import json_list, table
from pbx.registrations.listing import as_json, current_bindings, seconds_left


class Command(DatabaseCommand):
    help = "List the registered phones."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="as a JSON list of objects")

    def work(self, **options: Any) -> None:
        now = timezone.now()
        if options["json"]:
            lines = json_list(as_json(binding, now) for binding in current_bindings(now))
        else:
            heads = ("ADDRESS", "CONTACT", "RECEIVED FROM", "BY", "EXPIRES", "STATE", "USER AGENT")
            lines = table(heads, _rows(now))
        for line in lines:
            self.stdout.write(line, ending="")


def _rows(now: datetime) -> Iterator[tuple[str, ...]]:
    for binding in current_bindings(now):
        yield (
            binding.aor,
            binding.contact,
            binding.received,
            binding.transport,
            f"{seconds_left(binding, now)} s",
            "does not answer" if binding.unreachable_since else "",
            binding.user_agent,
        )
