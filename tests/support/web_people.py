"""People with the page My phone open, each in a Chromium whose microphone plays a tone of theirs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser

from tests.support.my_phone import PASSWORD, MyPhone, chromium_with_tone
from tests.support.pbx_process import PbxProcess


class WebPeople:
    def __init__(
        self, pbx: PbxProcess, browser: Browser, directory: Path, stack: ExitStack
    ) -> None:
        self.pbx, self.browser, self.directory, self.stack = pbx, browser, directory, stack

    def open(self, number: str, tone: float, *permissions: str) -> MyPhone:
        """That person's page, registered; `permissions` besides the microphone."""
        running = self.stack.enter_context(chromium_with_tone(self.browser, tone, self.directory))
        assert self.pbx.ready is not None
        context = running.new_context(
            base_url=self.pbx.ready.http, permissions=["microphone", *permissions]
        )
        return MyPhone(context.new_page(), f"person{number}", PASSWORD)
