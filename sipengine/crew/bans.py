"""Bans are the owner's: a worker tells of offences, the owner decides and tells who is shut out (decision 6)."""

from __future__ import annotations

from time import monotonic

from sipengine.crew.frames import Contact, LetIn, Offence, ShutOut, Trusted
from sipengine.crew.handlers import OwnerEnd, WorkerEnd
from sipengine.services.guard.followed_bans import FollowedBans
from sipengine.services.guard.guard import Guard
from sipengine.services.this_process import ThisProcess


class OwnBans:
    """The owner's side; the listener of its `Bans`."""

    def __init__(self, hub: OwnerEnd, guard: Guard) -> None:
        self._hub = hub
        self._guard = guard
        guard.bans.listener = self
        hub.on(Offence, self._offence)
        hub.on(Trusted, lambda _number, frame: guard.trust(frame.source, monotonic()))
        hub.on_join(self._tell_all)

    def shut_out(self, source: str, until: float) -> None:
        self._hub.tell_all(ShutOut(source, until))

    def let_in(self, source: str) -> None:
        self._hub.tell_all(LetIn(source))

    def _offence(self, _number: int, frame: Offence) -> None:
        self._guard.accuse(frame.source, frame.kind, frame.reason, frame.count, monotonic())

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
        member.on_join(bans.forget)

    def offence(self, source: str, kind: str, reason: str, count: int) -> None:
        self._member.tell(Offence(source, kind, reason, count))

    def trusted(self, source: str) -> None:
        self._member.tell(Trusted(source))

    def registered(self, frame: Contact) -> None:
        """A binding is there: its address is trusted."""
        self._guard.registered(frame.record, monotonic())

    def _shut_out(self, frame: ShutOut) -> None:
        now = monotonic()
        self._bans.shut_out(frame.source, frame.until - self._process.offset, now)
