"""`./run` and `./run up`: start the whole PBX in the foreground. Loads no Django."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import Final

from pbx.environment import BadEnvironment, current, unknown_variables
from pbx.supervisor import data_dir
from pbx.supervisor.cluster import PostgresTrouble
from pbx.supervisor.lock import SUPERVISOR, DataDirLock, Held
from pbx.supervisor.part import StartFailed
from pbx.supervisor.parts import UnknownPart
from pbx.supervisor.ports import PortTrouble
from pbx.supervisor.programs import ProgramMissing
from pbx.supervisor.supervisor import Supervisor, warn

TROUBLE: Final = (
    BadEnvironment,
    UnknownPart,
    PortTrouble,
    ProgramMissing,
    PostgresTrouble,
    StartFailed,
    data_dir.DataDirTrouble,
    LookupError,
)
"""What keeps a PBX from starting; each says in its text what and how to mend it."""
_PATIENCE: Final = 30.0  # seconds for a command that has the data directory just now


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="./run up", description="Start the PBX in the foreground."
    )
    parser.add_argument(
        "--only", metavar="PART,…", default="", help="start just these parts and what they need"
    )
    parser.add_argument(
        "--demo", action="store_true", help="add extensions 1001-1003 and print their passwords"
    )
    options = parser.parse_args(arguments)
    only = [name for name in options.only.split(",") if name]
    try:
        _supervise(only, demo=options.demo)
    except TROUBLE as trouble:
        warn(str(trouble))
        return 1
    return 0


def _supervise(only: list[str], *, demo: bool) -> None:
    environment = current()
    for name in unknown_variables(os.environ):
        warn(f"{name} is set but means nothing; docs/operations.md lists the variables.")
    data_dir.make(environment.data_dir)
    try:
        lock = DataDirLock.wait(environment.data_dir, SUPERVISOR, _PATIENCE)
    except Held as held:
        raise data_dir.DataDirTrouble(
            f"PBX_DATA_DIR={environment.data_dir}: another Branchline uses it "
            f"({held.role}, process {held.pid}); stop that one or give another PBX_DATA_DIR"
        ) from None
    with lock:
        if little := data_dir.check_room(environment.data_dir):
            warn(little)
        supervisor = Supervisor(environment, only, demo=demo)
        asyncio.run(supervisor.run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
