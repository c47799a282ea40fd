"""Telephones by other people's SIP libraries (JsSIP, SIP.js) in pages of a real Chromium.

The pages' sources are in `tests/interop/pages`; each puts one object `client` into its window. The
libraries come by the lock file of the front end.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.support.wait import until

PROJECT = Path(__file__).resolve().parents[2]
PAGES = PROJECT / "tests" / "interop" / "pages"
LIBRARIES = ("jssip", "sipjs")


def built(library: str, packages: Path, directory: Path) -> str:
    """The script of that library's page in one piece; `packages` is the front end's node_modules."""
    script = directory / f"{library}.js"
    subprocess.run(
        [
            packages / ".bin" / "esbuild", PAGES / f"{library}_client.js",
            "--bundle", "--format=iife", "--log-level=warning", f"--outfile={script}",
        ],
        env={**os.environ, "NODE_PATH": str(packages)},
        check=True,
        timeout=60,
    )  # fmt: skip
    return script.read_text()


class LibraryPhone:
    """One page with a telephone of that script, opened on a page of the server at `origin`."""

    def __init__(self, window: Page, script: str, origin: str, number: str, domain: str) -> None:
        self.window, self.number, self.domain = window, number, domain
        self.trouble: list[str] = []
        window.on("pageerror", lambda error: self.trouble.append(str(error)))
        window.goto(f"{origin}/healthz/web")  # any page of the server: its Origin is what counts
        window.evaluate(script)

    def do(self, call: str, value: Any = None) -> Any:
        """One call of the page's `client` and what it gave in the end."""
        return self.window.evaluate(f"value => client.{call}(value)", value)

    def begin(self, call: str, value: Any = None) -> None:
        """As `do`, whose outcome `outcome` waits for."""
        self.window.evaluate(f"value => {{ window.begun = client.{call}(value); }}", value)

    def outcome(self) -> Any:
        return self.window.evaluate("window.begun")

    def register(
        self, address: str, password: str, *, frequency: float = 440.0, user_agent: str = ""
    ) -> None:
        """Register by the WebSocket at `address`; a refusal is an error with its reason."""
        account = {"address": address, "number": self.number, "password": password}
        tune = {"domain": self.domain, "frequency": frequency, "userAgent": user_agent}
        assert self.do("register", {**account, **tune})

    def is_over(self) -> None:
        until(lambda: self.do("isOver"), f"the call at {self.number} to end", deadline=8)

    def hears(self, frequency: float, *, within: float = 12.0, deadline: float = 15.0) -> None:
        """Wait until the page hears that tone."""
        heard: list[float] = []

        def right() -> bool:
            heard.append(self.do("heard"))
            return abs(heard[-1] - frequency) <= within

        until(
            right, f"{self.number} to hear {frequency:g} Hz", deadline=deadline, pause=0.1,
            explain=lambda: f"heard: {heard[-10:]}",
        )  # fmt: skip
