"""Programs that the tests take from the system; tests/system-packages.txt names their packages."""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str, package: str) -> str:
    """The program's path. Where it is missing the test is skipped with the line that mends it;
    with CI=true it fails."""
    path = shutil.which(name)
    if path is not None:
        return path
    missing = f"{name} is missing: apt-get install --no-install-recommends {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
