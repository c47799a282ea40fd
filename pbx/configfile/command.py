"""What the commands have in common: a database around them, and errors as words."""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from typing import Any, NoReturn

from django.core.management.base import BaseCommand

from pbx.supervisor.cluster import PostgresTrouble
from pbx.supervisor.data_dir import DataDirTrouble
from pbx.supervisor.postgres import running
from pbx.supervisor.programs import ProgramMissing


class Refused(Exception):
    """The command cannot do what it was asked; the text says why. Exit status 1."""


class DatabaseCommand(BaseCommand):
    """A command that works while the PBX runs and while it does not."""

    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.prepare(**options)
            with running():
                self.work(**options)
            self.stdout.flush()
        except (Refused, PostgresTrouble, DataDirTrouble, ProgramMissing) as trouble:
            self.fail(str(trouble))
        except BrokenPipeError:
            # The reader (`| head`) has seen enough; nothing may be written at exit either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def prepare(self, **options: Any) -> None:
        """Do what needs no database, so that it fails before one is started."""

    @abstractmethod
    def work(self, **options: Any) -> None:
        """Do the command's work; the database is there."""

    def fail(self, words: str) -> NoReturn:
        self.stderr.write(words)
        raise SystemExit(1)
