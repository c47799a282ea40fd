"""The owner's bindings, told to every worker (`services.replica.Replica`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic
from typing import Final

from sipengine.api import BindingGone
from sipengine.crew.connections import OwnConnections
from sipengine.crew.frames import AllContacts, Contact, ContactGone
from sipengine.crew.handlers import WorkerEnd
from sipengine.crew.hub import Hub
from sipengine.services.binding import Binding
from sipengine.services.core import Core
from sipengine.services.location import Location
from sipengine.services.replica import Replica
from sipengine.services.this_process import ThisProcess
from sipengine.sip.flow import Flow

AT_ONCE: Final = 1_000
"""AORs whose bindings are told to a worker that has joined before others have their turn: some 10 ms."""


class ToldBindings:
    """The owner's side; `location.follower`."""

    def __init__(
        self, hub: Hub, location: Location, connections: OwnConnections, process: ThisProcess
    ) -> None:
        self._hub = hub
        self._location = location
        self._connections = connections
        self._process = process
        hub.on_join(self._tell_all)
        location.follower = self

    def binding_there(self, binding: Binding, earlier: str, now: float) -> None:
        self._hub.tell_all(self._frame(binding, earlier, now))
        if earlier:
            self._hub.flush()  # before the phone can say to anybody that it is there

    def binding_gone(self, gone: BindingGone) -> None:
        self._hub.tell_all(ContactGone(gone))

    def _frame(self, binding: Binding, earlier: str, now: float) -> Contact:
        record = binding.record(now, now + self._process.offset)
        return Contact(record, self._connections.number_of(binding.flow), binding.page, earlier)

    def _tell_all(self, number: int) -> None:
        self._tell_some(number, iter(self._location.aors))

    def _tell_some(self, number: int, aors: Iterator[str]) -> None:
        """Tell the next bindings, then wait until they are taken. Changes in between are told as ever."""
        stream = self._hub.stream(number)
        if stream is None:
            return
        now = monotonic()
        for _ in range(AT_ONCE):
            aor = next(aors, None)
            if aor is None:
                stream.tell(AllContacts())
                return
            for binding in self._location.bindings_of(aor):
                stream.tell(self._frame(binding, "", now))
        stream.when_drained(partial(self._tell_some, number, aors))


class HeardBindings:
    """A worker's side. `complete()` is called whenever all have been told, `seen` with each."""

    def __init__(
        self,
        member: WorkerEnd,
        core: Core,
        replica: Replica,
        flow_of: Callable[[Contact], Flow | None],
        complete: Callable[[], None],
        seen: Callable[[Contact, Flow | None], None] | None = None,
    ) -> None:
        self._core = core
        self._seen = seen
        self._replica = replica
        self._flow_of = flow_of
        self._complete = complete
        member.on(Contact, self._there)
        member.on(ContactGone, self._gone)
        member.on(AllContacts, self._all)
        member.on_join(replica.begin_anew)

    def _there(self, frame: Contact) -> None:
        core, now = self._core, monotonic()
        before = len(core.out)
        flow = self._flow_of(frame)
        self._replica.take(
            frame.record,
            flow,
            frame.page,
            frame.earlier,
            now,
            now + core.process.offset,
        )
        core.traces.sent_otherwise(before, now)
        if self._seen is not None:
            self._seen(frame, flow)

    def _gone(self, frame: ContactGone) -> None:
        self._replica.end(frame.gone)

    def _all(self, _frame: AllContacts) -> None:
        self._replica.all_told()
        self._complete()
