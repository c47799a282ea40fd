"""`export [FILE.yaml]`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db import connection, transaction

from pbx.configfile import stored
from pbx.configfile.command import DatabaseCommand, Refused
from pbx.configfile.writing import write
from pbx.directory.models import Domain


class Command(DatabaseCommand):
    help = (
        "Write a domain's configuration as a file that apply takes back unchanged. Passwords are "
        "written as hashes with which phones can be impersonated: keep the file as a secret."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", metavar="FILE.yaml", nargs="?", help="the file; standard output if left out"
        )
        parser.add_argument("--domain", help="the domain; the default domain if left out")

    def work(self, **options: Any) -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:  # one moment, whatever is changed meanwhile
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            domain = _domain(options["domain"])
            document = stored.load(domain)
            others = list(Domain.objects.exclude(pk=domain.pk).values_list("name", flat=True))
        lines = write(document)
        if options["file"]:
            _write_file(Path(options["file"]), lines)
        else:
            for line in lines:
                self.stdout.write(line, ending="")
        if others and not options["domain"]:
            self.stderr.write(f"Not in it (give --domain): {', '.join(others)}.")


def _domain(name: str | None) -> Domain:
    wanted = {"is_default": True} if name is None else {"name": name.lower()}
    domain = Domain.objects.filter(**wanted).first()
    if domain is None:
        raise Refused(
            "There is no domain yet, so there is nothing to export."
            if name is None
            else f"There is no domain {name}."
        )
    return domain


def _write_file(path: Path, lines: Iterator[str]) -> None:
    """Write the whole file or leave the old one; readable by its owner only, for its hashes."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            try:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}. Nothing was written.") from None
