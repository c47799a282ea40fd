"""The calls of other processes that somebody watches here, as those last told them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.api import STATE_ENDED, CallRecord
from sipengine.services.call import Call
from sipengine.services.call_row import take_up
from sipengine.services.calls import MAX_CALLS, Calls
from sipengine.services.this_process import ThisProcess
from sipengine.sip.timers import TimerQueue

if TYPE_CHECKING:
    from sipengine.services.events.call_watch import CallWatch

AWAY_S: Final = 30.0
"""Seconds that the calls of a process are taken to go on when it is not heard: it is back after one or two,
and its talking calls never end by its death. One that cannot live is tried every ten seconds; whoever
has failed three times may be gone for long, and no lamp is to burn all that time."""

MOST: Final = MAX_CALLS
"""Calls with a watched party, of all other processes: as many as one takes by itself, 4 kB each. What is
beyond shows no lamp."""


class ForeignCalls:
    """`watch` hears of each change, as it does of the calls here."""

    __slots__ = ("_calls", "_count", "_of", "_process", "_timers", "_unheard", "_watch", "most")

    def __init__(
        self, calls: Calls, watch: CallWatch, timers: TimerQueue, process: ThisProcess
    ) -> None:
        self._calls = calls
        self._watch = watch
        self._timers = timers
        self._process = process
        self._of: dict[int, dict[str, Call]] = {}  # process -> UUID -> call
        self._count = 0
        self.most = MOST
        self._unheard: dict[int, Absence] = {}

    def __len__(self) -> int:
        return self._count

    def told(
        self, number: int, record: CallRecord, hidden: bool, changed: list[str], now: float
    ) -> None:
        """A call of process `number` as it is now; `changed` are the parties that it is told for."""
        absence = self._unheard.get(number)
        if absence is not None:
            absence.unheard.pop(record.id, None)
        calls = self._of.setdefault(number, {})
        call = calls.get(record.id)
        watched = [aor for aor in changed if self._watch.watches(aor)]
        if call is None:
            if not watched or record.state == STATE_ENDED or self._count >= self.most:
                return  # nobody wants to know any more, or nobody did before it ended
            call = Call(self._calls, record.id, "", "", record.started - self._process.offset)
            call.hidden = hidden
            calls[record.id] = call
            self._count += 1
        # One that has gone on over the end of its process says that it is hidden as it does not know:
        # who was told of it before may go on to know its caller.
        call.hidden = call.hidden and hidden
        call.answered_leg = None
        take_up(call, record, self._process.offset)
        call.result, call.hangup_by = record.result, record.hangup_by
        if call.state == STATE_ENDED:
            call.ended = now
            self._drop(number, call)
        for aor in watched:
            self._watch.touch(aor, call, now)

    def all_told(self, number: int, now: float) -> None:
        """Process `number` has told all its calls since it came (back): others have ended."""
        absence = self._unheard.pop(number, None)
        if absence is not None:
            self._end(number, absence, now)

    def left(self, number: int, now: float) -> None:
        """Process `number` is not there. Its calls go on for AWAY_S, or until it has told what goes on."""
        absence = self._unheard[number] = Absence(self, number, dict(self._of.get(number, {})))
        self._timers.start(AWAY_S, now, absence)

    def away(self, absence: Absence, now: float) -> None:
        if self._unheard.get(absence.number) is absence:
            self._end(absence.number, absence, now)

    def forget(self, call: Call) -> None:
        """Nobody watches a party of it any more: its steps are not told from now on."""
        for number, calls in self._of.items():
            if calls.get(call.id) is call:
                self._drop(number, call)
                return

    def _end(self, number: int, absence: Absence, now: float) -> None:
        for call in absence.unheard.values():
            if call.state != STATE_ENDED:
                call.state, call.ended, call.result, call.hangup_by = (
                    STATE_ENDED, now, "failed", "system",
                )  # fmt: skip
                self._drop(number, call)
                self._watch.call_changed(call, None, now)
        absence.unheard.clear()

    def _drop(self, number: int, call: Call) -> None:
        if self._of[number].pop(call.id, None) is not None:
            self._count -= 1


class Absence:
    """A process that is not there, and its calls of which nothing has been heard since."""

    __slots__ = ("_calls", "due", "number", "unheard")

    def __init__(self, calls: ForeignCalls, number: int, unheard: dict[str, Call]) -> None:
        self._calls = calls
        self.number = number
        self.unheard = unheard
        self.due = 0.0

    def on_timer(self, now: float) -> None:
        self.due = 0.0
        self._calls.away(self, now)
