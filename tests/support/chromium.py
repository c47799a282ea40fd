"""Which Chromium the tests drive.

Most drive its headless shell: the same engine, media and scripts without the window of the desktop, which costs
as much processor time as the pages in it. The first calls of all are made in the whole program, as people use it.
"""

from __future__ import annotations

from tests.support.programs import program


def headless_shell() -> str:
    return program("chromium-headless-shell", "chromium-headless-shell")


def whole_chromium() -> str:
    return program("chromium", "chromium")
