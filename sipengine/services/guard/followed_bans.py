"""Bans in a process that does not decide them: another one does, and says who is shut out
(docs/decisions/0017-worker-processes.md).
"""

from __future__ import annotations

from typing import Final, Protocol

from sipengine.services.guard.bans import MAX_SHUT, Bans, Shut
from sipengine.services.this_process import ThisProcess

UNTIL_DECIDED: Final = 2.0
"""Seconds that a source is shut out here before the other has decided, which takes milliseconds."""


class OffenceListener(Protocol):
    """The way to who decides."""

    def offence(self, source: str, kind: str, reason: str, count: int) -> None:
        """As `Bans.ban`."""
        ...


class FollowedBans(Bans):
    """`shut_out` and `let_in` are what is decided elsewhere."""

    def __init__(self, process: ThisProcess) -> None:
        super().__init__([], process, "")
        self.offences: OffenceListener | None = None

    def ban(self, source: str, kind: str, reason: str, count: int, now: float) -> None:
        """Have it decided, and take nothing from `source` meanwhile."""
        self.pause(source, UNTIL_DECIDED, now)
        if self.offences is not None:
            self.offences.offence(source, kind, reason, count)

    def shut_out(self, source: str, until: float, now: float) -> None:
        """It is decided: nothing from there until then (monotonic)."""
        if until > now and (source in self.shut or len(self.shut) < MAX_SHUT):
            self.shut[source] = Shut(until, None)

    def let_in(self, source: str) -> None:
        self.shut.pop(source, None)

    def forget(self) -> None:
        """All that are shut out will be told again."""
        self.shut.clear()
