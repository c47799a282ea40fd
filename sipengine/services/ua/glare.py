"""Both sides offered at once: when to offer again (RFC 3261 §14.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.ua.alarm import Alarm
from sipengine.sip.sdp.description import Description

if TYPE_CHECKING:
    from sipengine.services.ua.session import Session

MAX_TRIES: Final = 5
"""Of one offer; two phones meet once or twice."""


class Glare:
    """Repeats the offer of one session that was answered 491."""

    __slots__ = ("_alarm", "_offer", "_session", "_tries")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._alarm = Alarm(session.agent.layer.timers, self._again)
        self._offer: Description | None = None
        self._tries = 0

    @property
    def waiting(self) -> bool:
        return bool(self._alarm.due)

    def watch(self, offer: Description | None) -> None:
        """An offer goes out; None if its failure is the application's business."""
        if offer is not self._offer:
            self._tries = 0
        self._offer = offer

    def met(self, now: float) -> bool:
        """It was answered 491: whether it will be made again."""
        if self._offer is None or self._tries >= MAX_TRIES:
            self._offer = None
            return False
        self._tries += 1
        self._wait(now)
        return True

    def stop(self) -> None:
        self._alarm.stop()
        self._offer = None

    def _wait(self, now: float) -> None:
        """Who owns the Call-ID waits 2.1 to 4 s, the other up to 2 s."""
        dialog = self._session.dialog
        owns = dialog is not None and dialog.is_caller
        low, high = (2.1, 4.0) if owns else (0.1, 2.0)
        self._alarm.start(self._session.agent.names.between(low, high), now)

    def _again(self, now: float) -> None:
        offer = self._offer
        if offer is None:
            return
        if self._session.free:
            self._session.offer(offer, now, insist=True)
        else:
            self._wait(now)
