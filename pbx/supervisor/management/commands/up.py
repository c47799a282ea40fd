"""`manage.py up`: what `./run` does. Gives its place to the supervisor, which needs no Django."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from django.core.management.base import BaseCommand

from pbx.environment import PROJECT


class Command(BaseCommand):
    help = "Start the whole PBX in the foreground."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> NoReturn:
        # Every argument is the supervisor's, --help too.
        os.environ["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")])
        )
        os.execv(sys.executable, [sys.executable, "-P", "-m", "pbx.supervisor", *argv[2:]])  # noqa: S606
