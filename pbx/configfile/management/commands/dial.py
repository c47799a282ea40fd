"""`dial FROM TO`."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import CommandParser
from django.db import connection

from pbx.configfile.command import DatabaseCommand, Refused
from pbx.enginelink.connecting import connect
from pbx.enginelink.giving import NotGiven, follow, give
from pbx.environment import current

PATIENCE_S: Final = 130.0
"""Longer than any stage of a call may ring."""


class Command(DatabaseCommand):
    help = "Ring somebody's phone and, when it is picked up, call a number for them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("from", metavar="FROM", help="whose phone rings first, such as 1001")
        parser.add_argument("to", metavar="TO", help="who is called then, such as 1002")

    def work(self, **options: Any) -> None:
        connection.ensure_connection()  # a database that is not there is told in the usual words
        with connect(current().database_url, "dial") as link:
            try:
                number = give(link, "dial", {"from": options["from"], "to": options["to"]})
                for words, succeeded in follow(link, number, PATIENCE_S):
                    self.stdout.write(words)
                    self.stdout.flush()
                    if succeeded is False:
                        raise SystemExit(1)
            except NotGiven as trouble:
                raise Refused(f"{trouble} Nobody's phone rings any more.") from None
