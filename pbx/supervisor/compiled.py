"""The compiled engine: where it lies, and whether it is made of the present sources.

It is a whole copy of the package `sipengine` with machine code beside the sources of its sans-IO
part, in a folder named by everything it is made of. It never lies in the checkout's own package:
machine code that is older than the source beside it would run instead of it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

from pbx.environment import PROJECT

PACKAGE: Final = PROJECT / "sipengine"
MAKERS: Final = (PROJECT / "setup" / "compile.py", PROJECT / "setup" / "compile.requirements")
"""What makes it, and with which compiler: another version of these makes another engine."""

HOME: Final = Path(sys.prefix) / "compiled"


def digest() -> str:
    """The name of the engine that the present sources make with this Python."""
    made_of = hashlib.sha256(EXTENSION_SUFFIXES[0].encode())
    sources = sorted((*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyx")))
    for file in (*MAKERS, *sources):
        content = file.read_bytes()
        made_of.update(f"\0{file.relative_to(PROJECT)}\0{len(content)}\0".encode())
        made_of.update(content)
    return made_of.hexdigest()[:20]


def present() -> Path | None:
    """The folder of the compiled package `sipengine` if the present sources made it, else None."""
    try:
        place = HOME / digest()
    except FileNotFoundError:  # an image without setup/, or a source that is being renamed
        return None
    return place if place.is_dir() else None


def import_path(*, wanted: bool) -> Mapping[str, str]:
    """The variables with which `python -m sipengine` runs the compiled engine if it is there and
    `wanted`, else the checkout's own. All else comes from the checkout either way."""
    compiled = present() if wanted else None
    path = [str(compiled), str(PROJECT)] if compiled else [str(PROJECT)]
    # Safe path: the directory that a process starts in, here the checkout, does not come first.
    return {"PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"}
