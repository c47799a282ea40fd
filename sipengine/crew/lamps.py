"""What the owner's event server must know of the workers' calls: lamps (RFC 4235), presence (RFC 3856)."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from sipengine.api import CallRecord
from sipengine.crew.frames import AllCalls, AllWatched, PartyCall, Unwatch, Watch
from sipengine.crew.handlers import OwnerEnd, WorkerEnd
from sipengine.services.call import Call
from sipengine.services.core import Core


class Lamps:
    """The owner's side; `CallWatch.others`."""

    def __init__(self, hub: OwnerEnd, core: Core, clock: Callable[[], float] = monotonic) -> None:
        self._hub = hub
        self._clock = clock
        self._watch = core.events.watch
        self._foreign = core.events.foreign_calls()
        self._watch.others = self
        hub.on(PartyCall, self._told)
        hub.on(AllCalls, lambda number, _frame: self._foreign.all_told(number, self._clock()))
        hub.on_join(self._joined)
        hub.on_leave(lambda number: self._foreign.left(number, self._clock()))

    def watched(self, aor: str) -> None:
        self._hub.tell_all(Watch(aor))

    def unwatched(self, aor: str) -> None:
        self._hub.tell_all(Unwatch(aor))

    def forget(self, call: Call) -> None:
        self._foreign.forget(call)

    def counters(self) -> dict[str, int]:
        return {"crew_watched_calls_now": len(self._foreign)}

    def _joined(self, number: int) -> None:
        for aor in self._watch.aors:
            self._hub.tell(number, Watch(aor))
        self._hub.tell(number, AllWatched())

    def _told(self, number: int, frame: PartyCall) -> None:
        self._foreign.told(number, frame.call, frame.hidden, frame.changed, self._clock())


class CallsForLamps:
    """A worker's side; the listener of `ToldCalls`."""

    def __init__(
        self, member: WorkerEnd, core: Core, clock: Callable[[], float] = monotonic
    ) -> None:
        self._member = member
        calls = core.events.told_calls(self)
        member.on(Watch, lambda frame: calls.watch(frame.aor, clock()))
        member.on(Unwatch, lambda frame: calls.unwatch(frame.aor))
        member.on(AllWatched, lambda _frame: calls.all_watched(clock()))
        member.on_leave(calls.forget)

    def call_is(self, record: CallRecord, hidden: bool, changed: list[str]) -> None:
        self._member.tell(PartyCall(record, hidden, changed))

    def all_calls_told(self) -> None:
        self._member.tell(AllCalls())
