"""Bans are the owner's: a worker tells of offences, the owner decides and tells who is shut out (decision 6)."""

from __future__ import annotations

from time import monotonic

from sipengine.crew.frames import Contact, LetIn, Offence, ShutOut, Trusted
from sipengine.crew.handlers import OwnerEnd, WorkerEnd
from sipengine.services.guard.followed_bans import FollowedBans
from sipengine.services.guard.guard import Guard
from sipengine.services.this_process import ThisProcess
from sipengine.sip.flow import Flow


class OwnBans:
    """The owner's side; the listener of its `Bans`."""

    def __init__(self, hub: OwnerEnd, guard: Guard) -> None:
        self._hub = hub
        self._guard = guard
        guard.bans.listener = self
        hub.on(Offence, self._offence)
        hub.on(Trusted, lambda _number, frame: guard.trust(frame.source, frame.until))
        hub.on_join(self._tell_all)

    def shut_out(self, source: str, until: float) -> None:
        self._hub.tell_all(ShutOut(source, until))

    def let_in(self, source: str) -> None:
        self._hub.tell_all(LetIn(source))

    def _offence(self, number: int, frame: Offence) -> None:
        source = frame.source
        until = self._guard.accuse(source, frame.kind, frame.reason, frame.count, monotonic())
        if until:
            self._hub.tell(number, Trusted(source, until))

    def _tell_all(self, number: int) -> None:
        for source, until in self._guard.bans.standing:
            self._hub.tell(number, ShutOut(source, until))


class HeardBans:
    """A worker's side; what its guard tells."""

    def __init__(self, member: WorkerEnd, guard: Guard, process: ThisProcess) -> None:
        bans = guard.bans
        assert isinstance(bans, FollowedBans)
        self._member = member
        self._guard = guard
        self._bans = bans
        self._process = process
        bans.offences = self
        guard.trust_listener = self
        member.on(ShutOut, self._shut_out)
        member.on(LetIn, lambda frame: bans.let_in(frame.source))
        member.on(Trusted, self._trusted)
        member.on_join(bans.forget)

    def offence(self, source: str, kind: str, reason: str, count: int) -> None:
        self._member.tell(Offence(source, kind, reason, count))

    def trusted(self, source: str, until: float) -> None:
        self._member.tell(Trusted(source, until))

    def registered(self, frame: Contact, flow: Flow | None) -> None:
        """A binding is there, by `flow`: its address is trusted, and the account waits for no guesser there.
        A page's credential is its own, not the account's."""
        self._guard.registered(frame.record, monotonic())
        if flow is not None and not frame.page:
            self._guard.registered_elsewhere(flow, frame.record.aor)

    def _trusted(self, frame: Trusted) -> None:
        """The owner bans nobody there."""
        self._guard.trust(frame.source, frame.until)
        self._bans.let_in(frame.source)

    def _shut_out(self, frame: ShutOut) -> None:
        now = monotonic()
        self._bans.shut_out(frame.source, frame.until - self._process.offset, now)
