"""Commands from outside (`./run dial`, `./run trace`), carried out on the engine's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic, time
from typing import Final, Protocol

from sipengine.observe.trace import Gathered, of_call, told
from sipengine.services.core import Core

DIAL: Final = "dial"
TRACE: Final = "trace"
MOST_CALL_IDS: Final = 16
"""A call that was transferred so often is no call any more."""


Elsewhere = Callable[[list[str], Callable[[Gathered], None]], None]
"""(Call-IDs, then): calls `then` once."""


class CommandPort(Protocol):
    """The part of `pbx.enginelink.link.Link` that commands come by."""

    def take_commands(self, on_command: Callable[[int, str, dict[str, str]], None]) -> None:
        """Call `on_command(id, kind, arguments)` from a thread for each command."""
        ...

    def say(self, number: int, words: str, succeeded: bool | None) -> None:
        """Tell who gave the command; `succeeded` comes with the last sentence. Never blocks."""
        ...


class Commands:
    """Takes commands from the link's thread to the loop, and their news back."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        core: Core,
        drain: Callable[[float], None],
        link: CommandPort,
    ) -> None:
        self._loop = loop
        self._core = core
        self._drain = drain
        self._link = link
        self.elsewhere: Elsewhere | None = None
        """Asks the other processes of the engine for the messages of calls, where there are any."""
        self._since = time()
        self._offset = self._since - monotonic()

    def start(self) -> None:
        self._link.take_commands(self._given)

    def _given(self, number: int, kind: str, arguments: dict[str, str]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._carry_out, number, kind, arguments)
        except RuntimeError:  # the loop has ended meanwhile
            self._link.say(number, "The telephone system is stopping.", False)

    def _carry_out(self, number: int, kind: str, arguments: dict[str, str]) -> None:
        def news(words: str, last: bool, well: bool) -> None:
            self._link.say(number, words, well if last else None)

        if kind == DIAL:
            now = monotonic()
            dial = self._core.agent.click_to_call.dial
            dial(str(arguments.get("from", "")), str(arguments.get("to", "")), news, now)
            self._drain(now)
        elif kind == TRACE:
            self._tell_messages(number, str(arguments.get("call_ids", "")).split("\n"))
        else:
            news(f"This engine knows no command {kind}.", True, False)

    def _tell_messages(self, number: int, call_ids: list[str]) -> None:
        """What is kept of these Call-IDs. To make text of it takes milliseconds: on a thread."""
        call_ids = call_ids[:MOST_CALL_IDS]
        gathered = [
            (of_call(trace.messages(), trace.call_id), trace.missing, trace.gap)
            for trace in self._core.traces.of(call_ids)
        ]

        def tell(others: Gathered) -> None:
            self._loop.run_in_executor(None, say, gathered + others)

        def say(everything: Gathered) -> None:
            self._link.say(number, told(everything, self._since, self._offset), True)

        if self.elsewhere is None:
            tell([])
        else:
            self.elsewhere(call_ids, tell)
