"""`./run SUBCOMMAND …`: what it offers, and Django's commands as people who run a PBX read them.

Django's and its packages' own commands can still be called by who develops; they are neither listed
nor guessed.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import tomllib
from difflib import get_close_matches
from typing import Any, Final, NoReturn

from django.core.management import ManagementUtility, get_commands
from django.core.management.base import BaseCommand

from pbx.environment import PROJECT, BadEnvironment

PROGRAM: Final = "./run"
COMMANDS: Final = {
    "up": "start the whole PBX in the foreground; what ./run alone does",
    "apply": "make the configuration be what a file says",
    "export": "write the configuration as a file that apply takes",
    "simulate": "tell where a call would go, and why",
    "bindings": "list the registered phones",
    "calls": "list the call log",
    "trace": "show a call's SIP messages as a ladder",
    "dial": "ring somebody's phone, then call a number for them",
    "bans": "list the addresses that are shut out",
    "unban": "let a banned address in again",
    "changepassword": "give somebody who logs in another password",
    "axes_reset": "let those log in again whom wrong passwords locked out",
    "prepare": "make the tables and the first account; up does it by itself",
}
"""Subcommand -> one line for who looks for it, in the order of use."""

BORROWED: Final = ("changepassword", "axes_reset", "createsuperuser")
"""Other packages' commands that want a database and do not start one."""

_FRAMEWORK: Final = frozenset(
    [
        "--version",
        "--verbosity",
        "--settings",
        "--pythonpath",
        "--traceback",
        "--no-color",
        "--force-color",
        "--skip-checks",
        "--database",
    ]
)
"""Options that Django gives every command and that say nothing to an operator."""


class CommandLine(ManagementUtility):
    """Django's dispatcher with our help, our name and our manners."""

    def __init__(self, words: list[str]) -> None:
        super().__init__([PROGRAM, *(words or ["up"])])
        self.prog_name = PROGRAM

    def execute(self) -> None:
        words = self.argv[1:]
        if words[0] == "help" and len(words) > 1:  # of one command: it tells for itself
            words = self.argv[1:] = [words[1], "--help"]
        if words in (["help"], ["--help"], ["-h"]):
            sys.stdout.write(self.main_help_text())
        elif words in (["version"], ["--version"]):
            sys.stdout.write(f"Branchline {own_version()}\n")
        elif words[0].startswith("-"):
            _refuse(f"{words[0]} is no subcommand; {PROGRAM} help lists them")
        else:
            try:
                super().execute()
            except BadEnvironment as trouble:
                _refuse(str(trouble))
            except KeyboardInterrupt:
                sys.exit(130)  # as a shell does

    def main_help_text(self, commands_only: bool = False) -> str:
        widest = max(map(len, COMMANDS))
        lines = [f"  {name:<{widest}}  {words}" for name, words in COMMANDS.items()]
        return (
            f"{PROGRAM} starts the PBX. {PROGRAM} SUBCOMMAND … is its command line:\n\n"
            + "\n".join(lines)
            + f"\n\n{PROGRAM} SUBCOMMAND --help tells more about each."
            " docs/operations.md is for the person who runs it.\n"
        )

    def fetch_command(self, subcommand: str) -> BaseCommand:
        if subcommand not in get_commands():
            near = get_close_matches(subcommand, COMMANDS, n=1)
            guess = f" Did you mean {near[0]}?" if near else ""
            _refuse(f"{subcommand} is no subcommand.{guess} {PROGRAM} help lists them.")
        command = super().fetch_command(subcommand)
        _hide_framework(command)
        if subcommand in BORROWED:
            _lend_database(command)
        return command


@functools.cache
def own_version() -> str:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def _refuse(words: str) -> NoReturn:
    sys.stderr.write(words + "\n")
    sys.exit(1)


def _hide_framework(command: BaseCommand) -> None:
    """Have its parser call itself `./run NAME` and keep the framework's options to itself."""
    create = command.create_parser

    def create_parser(program: str, subcommand: str, **more: Any) -> Any:
        parser = create(program, subcommand, **more)
        parser.prog = f"{PROGRAM} {subcommand}"
        for action in parser._actions:
            if _FRAMEWORK.intersection(action.option_strings):
                action.help = argparse.SUPPRESS
        return parser

    setattr(command, "create_parser", create_parser)  # noqa: B010 - of this one object


def _lend_database(command: BaseCommand) -> None:
    """Have it find a database whether the PBX runs or not."""
    execute = command.execute

    def execute_with_database(*words: Any, **options: Any) -> Any:
        from pbx.supervisor.cluster import PostgresTrouble
        from pbx.supervisor.data_dir import DataDirTrouble
        from pbx.supervisor.postgres import running
        from pbx.supervisor.programs import ProgramMissing

        try:
            with running():
                return execute(*words, **options)
        except (PostgresTrouble, DataDirTrouble, ProgramMissing) as trouble:
            _refuse(str(trouble))

    setattr(command, "execute", execute_with_database)  # noqa: B010 - of this one object


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbx.settings")
    CommandLine(sys.argv[1:]).execute()
