"""Which users' calls are watched, and the calls of each (the observer of services.calls).

A call costs nothing for this while nobody watches anybody, and one look-up for each party of a
step otherwise.
"""

from __future__ import annotations

from typing import Protocol

from sipengine.api import STATE_ENDED
from sipengine.services.call import Call
from sipengine.services.calls import Calls
from sipengine.services.leg import Leg


class Told(Protocol):
    def calls_changed(self, aor: str, now: float) -> None:
        """Something changed in the calls of a watched user."""
        ...


class OtherProcesses(Protocol):
    """Who asks the other processes for their calls (`ForeignCalls` has what they say)."""

    def watched(self, aor: str) -> None: ...
    def unwatched(self, aor: str) -> None: ...
    def forget(self, call: Call) -> None:
        """None of its parties is watched any more."""
        ...


class CallWatch:
    """`told` hears of each change. Ended calls are kept until `forget_ended`, for their end is news.

    `others` are asked for calls that are not of this process, None if there is no other.
    """

    __slots__ = ("_calls", "_ended", "_interest", "_of_aor", "_told", "others")

    def __init__(self, calls: Calls, told: Told) -> None:
        self._calls = calls
        self._told = told
        self._of_aor: dict[str, dict[Call, None]] = {}
        self._interest: dict[str, int] = {}  # how many packages want to know of an AOR
        self._ended: list[tuple[str, Call]] = []
        self.others: OtherProcesses | None = None

    def watches(self, aor: str) -> bool:
        return aor in self._of_aor

    @property
    def aors(self) -> list[str]:
        """All that are watched."""
        return list(self._of_aor)

    def knows(self, aor: str) -> bool:
        """Whether the calls of a user are known here; else `watch`, and wait until others have told theirs."""
        return self.others is None or aor in self._of_aor

    def watch(self, aor: str) -> None:
        count = self._interest.get(aor, 0)
        self._interest[aor] = count + 1
        if not count:
            self._of_aor[aor] = dict.fromkeys(self._calls.with_party(aor))
            self._calls.watcher = self
            if self.others is not None:
                self.others.watched(aor)

    def unwatch(self, aor: str) -> None:
        count = self._interest.get(aor, 0)
        if count > 1:
            self._interest[aor] = count - 1
            return
        self._interest.pop(aor, None)
        calls = self._of_aor.pop(aor, {})
        if self.others is not None:
            self.others.unwatched(aor)
            for call in calls:
                if not any(party in self._of_aor for party in _parties(call)):
                    self.others.forget(call)
        if not self._of_aor:
            self._calls.watcher = None

    def calls_of(self, aor: str) -> list[Call]:
        """The calls of a user; of one who is watched also those that ended a moment ago."""
        calls = self._of_aor.get(aor)
        return self._calls.with_party(aor) if calls is None else list(calls)

    def is_on_the_phone(self, aor: str) -> bool:
        """Whether a user talks: he has answered, or was answered."""
        for call in self.calls_of(aor):
            if (
                call.answered
                and call.state != STATE_ENDED
                and aor in (call.caller, call.answered_by)
            ):
                return True
        return False

    def call_changed(self, call: Call, leg: Leg | None, now: float) -> None:
        self.touch(call.caller, call, now)
        if leg is not None:
            self.touch(leg.target, call, now)
            return
        for target in {leg.target for leg in call.legs}:
            self.touch(target, call, now)

    def touch(self, aor: str, call: Call, now: float) -> None:
        """A call has taken a step that is about this party."""
        calls = self._of_aor.get(aor)
        if calls is not None:
            calls[call] = None
            if call.state == STATE_ENDED:
                self._ended.append((aor, call))
            self._told.calls_changed(aor, now)

    def forget_ended(self) -> None:
        """What ended has been told."""
        for aor, call in self._ended:
            calls = self._of_aor.get(aor)
            if calls is not None:
                calls.pop(call, None)
        self._ended.clear()


def _parties(call: Call) -> set[str]:
    return {call.caller, *(leg.target for leg in call.legs)}
