"""People with the page My phone open, each in a Chromium whose microphone plays a tone of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser

from tests.support.my_phone import PASSWORD, MyPhone, chromium_with_tone
from tests.support.pbx_process import PbxProcess


class WebPeople:
    def __init__(
        self,
        pbx: PbxProcess,
        browser: Browser,
        directory: Path,
        stack: ExitStack,
        tones: Mapping[str, float],
        program: str,
    ) -> None:
        """`tones`: extension -> what its person is heard by, in Hz; `program`: Chromium's path."""
        self.pbx, self.browser, self.directory, self.stack = pbx, browser, directory, stack
        self.tones, self.program = tones, program

    def open(self, number: str, *permissions: str, at: str = "") -> MyPhone:
        """That person's page, registered; `permissions` besides the microphone, `at` another address
        of the server's."""
        running = self.stack.enter_context(
            chromium_with_tone(self.browser, self.tones[number], self.directory, self.program)
        )
        assert self.pbx.ready is not None
        context = running.new_context(
            base_url=at or self.pbx.ready.http, permissions=["microphone", *permissions]
        )
        return MyPhone(context.new_page(), f"person{number}", PASSWORD)
