"""`unban ADDRESS`."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from pbx.configfile.command import DatabaseCommand, Refused
from pbx.guard.actions import lift
from pbx.guard.listing import of_address


class Command(DatabaseCommand):
    help = "Let a banned address in again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address", help="an address or network, as `bans` shows it")

    def work(self, **options: Any) -> None:
        address = options["address"]
        try:
            bans = of_address(address, timezone.now())
        except ValueError:
            raise Refused(f"{address} is no address; give one such as 192.0.2.7.") from None
        if not bans:
            raise Refused(f"{address} is not banned. See the list with: ./run bans")
        for ban in bans:
            lift(ban, f"{_who()} (command line)")
            self.stdout.write(f"{ban.source} is let in again.")


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "somebody"
