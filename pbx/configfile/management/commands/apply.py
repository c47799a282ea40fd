"""`apply FILE.yaml [--prune] [--dry-run]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pbx.configfile.applying import apply
from pbx.configfile.command import DatabaseCommand, Refused
from pbx.configfile.document import Document
from pbx.configfile.reading import SIZE_LIMIT, BadFile, read
from pbx.configfile.telling import tell


class Command(DatabaseCommand):
    help = (
        "Make the configuration be what a file says. What is not in the file stays, unless "
        "--prune is given. A key that is left out has its default; the domain's mode, passwords "
        "and devices that are left out stay as they are."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE.yaml", help="the file; - is standard input")
        parser.add_argument(
            "--prune",
            action="store_true",
            help="remove the domain's extensions, devices and rules that are not in the file",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done, and change nothing"
        )

    def prepare(self, **options: Any) -> None:
        self._document = _read(options["file"])

    def work(self, **options: Any) -> None:
        dry_run = options["dry_run"]
        outcome = apply(self._document, prune=options["prune"], dry_run=dry_run)
        for line in tell(outcome, dry_run=dry_run):
            self.stdout.write(line)


def _read(name: str) -> Document:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(SIZE_LIMIT + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise Refused(f"{name}: {error.strerror}. Nothing was changed.") from None
    try:
        return read(data)
    except BadFile as bad:
        count = len(bad.errors)
        errors = "1 error" if count == 1 else f"{count} errors"
        raise Refused(f"{bad}\n{errors} in {name}. Nothing was changed.") from None
