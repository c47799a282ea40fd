"""Whether a PBX that root started can leave its parts to a lesser user."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import django

from pbx.environment import PROJECT, VARIABLES, Environment
from pbx.supervisor.identity import Identity


@dataclass(frozen=True, slots=True)
class Placement:
    """Who the parts run as (None: whoever started the supervisor) and why not someone lesser."""

    identity: Identity | None
    why_root: str = ""


def parts_identity(environment: Environment, lesser: Identity | None) -> Placement:
    """Give the parts to `lesser` if it can read the program, the data and the secrets' files.

    A checkout, a Python or a data directory under a closed home works all the same: the parts
    then stay root, and the reason is told.
    """
    if lesser is None:
        return Placement(None)
    wanted = [
        ("x", Path(sys.executable)),
        ("r", Path(os.__file__)),
        ("r", Path(django.__file__)),
        ("r", PROJECT / "manage.py"),
        ("x", environment.data_dir),
    ]
    files = [environment.tls_cert, environment.tls_key]
    files += [os.environ.get(f"{name}_FILE", "") for name in VARIABLES]
    wanted += [("r", Path(name)) for name in files if name]
    if lesser.reaches(wanted):
        return Placement(lesser)
    missing = next(str(path) for flag, path in wanted if not lesser.reaches([(flag, path)]))
    return Placement(None, f"user {lesser.name} cannot reach {missing}")
