"""The calls of this process, told to the one that has the subscriptions, while somebody watches a party."""

from __future__ import annotations

from typing import Final, Protocol

from sipengine.api import CallRecord
from sipengine.services.call import Call
from sipengine.services.call_row import dialog_row
from sipengine.services.calls import Calls
from sipengine.services.leg import Leg
from sipengine.services.this_process import ThisProcess
from sipengine.sip.timers import TimerQueue

GATHER_S: Final = 0.01
"""Seconds from the first step to telling it: a call to fifty phones takes a hundred steps at once, and
each would tell all of them. NOTIFYs are gathered for five times as long."""

AT_ONCE: Final = 1_000
"""Calls told in one go, some 10 ms; the rest follows GATHER_S later."""


class Listener(Protocol):
    """The other process."""

    def call_is(self, record: CallRecord, hidden: bool, changed: list[str]) -> None:
        """A call as it is now, without the parts that continue it; `changed` are the watched parties
        that its latest steps were about."""
        ...

    def all_calls_told(self) -> None:
        """All calls with a watched party have been told since `ToldCalls.all_watched`."""
        ...


class ToldCalls:
    """The observer of `services.calls` where nobody subscribes. It costs nothing while nobody watches."""

    __slots__ = (
        "_calls",
        "_complete",
        "_listener",
        "_news",
        "_owes_all",
        "_process",
        "_timers",
        "_watched",
        "due",
    )

    def __init__(
        self, calls: Calls, timers: TimerQueue, process: ThisProcess, listener: Listener
    ) -> None:
        self._calls = calls
        self._timers = timers
        self._process = process
        self._listener = listener
        self._watched: set[str] = set()
        self._complete = False  # all that is watched is known
        self._news: dict[Call, dict[str, None]] = {}
        self._owes_all = False
        self.due = 0.0

    def watch(self, aor: str, now: float) -> None:
        """Tell of the calls of this AOR, those that go on at once."""
        self._watched.add(aor)
        self._calls.watcher = self
        if self._complete:
            for call in self._calls.with_party(aor):
                self._news.setdefault(call, {})[aor] = None
            self.on_timer(now)

    def unwatch(self, aor: str) -> None:
        self._watched.discard(aor)
        if not self._watched:
            self._calls.watcher = None

    def all_watched(self, now: float) -> None:
        """All that is watched has been said since `forget`: tell what there is of it."""
        self._complete = self._owes_all = True
        if self._watched:
            for call in self._calls.going_on():
                self._note_all(call)
        self.on_timer(now)

    def forget(self) -> None:
        """The other process is not there: it says anew what is watched when it is."""
        self._watched.clear()
        self._news.clear()
        self._complete = self._owes_all = False
        self._calls.watcher = None
        self.due = 0.0

    def call_changed(self, call: Call, leg: Leg | None, now: float) -> None:
        if leg is None:
            self._note_all(call)
        else:
            self._note(call, call.caller)
            self._note(call, leg.target)
        if self._news and not self.due:
            self._timers.start(GATHER_S, now, self)

    def _note_all(self, call: Call) -> None:
        self._note(call, call.caller)
        for leg in call.legs:
            self._note(call, leg.target)

    def _note(self, call: Call, aor: str) -> None:
        if aor in self._watched:
            self._news.setdefault(call, {})[aor] = None

    def on_timer(self, now: float) -> None:
        self.due = 0.0
        for call in list(self._news)[:AT_ONCE]:
            changed = list(self._news.pop(call))
            self._listener.call_is(dialog_row(call, self._process.offset), call.hidden, changed)
        if self._news:
            self._timers.start(GATHER_S, now, self)
        elif self._owes_all:
            self._owes_all = False
            self._listener.all_calls_told()
