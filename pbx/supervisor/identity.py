"""Who the parts run as. Postgres refuses root; the others had better not be root either.

As a normal user everything runs as that user and there is nothing to decide.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_NAMES: Final = ("branchline", "postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Identity:
    """A user of this machine that a root-started part becomes."""

    name: str
    uid: int
    gid: int

    @property
    def popen(self) -> dict[str, Any]:
        """The keyword arguments with which `subprocess.Popen` starts a process as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give `path` and all below it to this user. Links are changed, not followed."""
        os.chown(path, self.uid, self.gid, follow_symlinks=False)
        for directory, directories, files in os.walk(path):
            for name in (*directories, *files):
                entry = os.path.join(directory, name)
                if os.lstat(entry).st_uid != self.uid:
                    os.chown(entry, self.uid, self.gid, follow_symlinks=False)

    def reaches(self, wanted: Iterable[tuple[str, Path]]) -> bool:
        """Whether this user passes every test, given as (letter of test(1), path) pairs."""
        words = [word for flag, path in wanted for word in (f"-{flag}", str(path), "-a")]
        done = subprocess.run(["test", *words[:-1]], cwd="/", check=False, **self.popen)
        return done.returncode == 0


def service_identity() -> Identity | None:
    """The user that root hands the parts to, or None for a normal user (who stays who he is).

    Only a user with an entry in the user database will do: initdb insists on one.
    """
    if os.geteuid() != 0:
        return None
    for name in _NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Identity(name, entry.pw_uid, entry.pw_gid)
    raise LookupError(
        "Postgres does not run as root and none of the users branchline, postgres or nobody exists; "
        "make one with: useradd --system branchline"
    )


def popen_arguments(identity: Identity | None) -> dict[str, Any]:
    return identity.popen if identity else {}
