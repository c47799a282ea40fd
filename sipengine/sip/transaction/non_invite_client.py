"""Non-INVITE client transaction (RFC 3261 §17.1.2).

Timers E and F are one timer here: each firing of E looks whether F's time has come.
"""

from __future__ import annotations

from typing import Final

from sipengine.sip.flow import Flow
from sipengine.sip.timers import T1, T2, TIMER_B, TIMER_K, next_interval
from sipengine.sip.trace import Trace
from sipengine.sip.transaction.invite_client import ClientUser
from sipengine.sip.transaction.layer import TransactionLayer

TRYING: Final = 0
PROCEEDING: Final = 1
COMPLETED: Final = 2
TERMINATED: Final = 3

PROVISIONAL: Final = 0
FINAL: Final = 1
TIMER: Final = 2
ERROR: Final = 3

NOTHING: Final = 0
PASS: Final = 1
RETRANSMIT: Final = 2
REPORT_ERROR: Final = 3
END: Final = 4

TRANSITIONS: Final[tuple[tuple[tuple[int, int], ...], ...]] = (
    # PROVISIONAL           FINAL                TIMER                      ERROR
    ((PASS, PROCEEDING), (PASS, COMPLETED), (RETRANSMIT, TRYING), (REPORT_ERROR, TERMINATED)),
    ((PASS, PROCEEDING), (PASS, COMPLETED), (RETRANSMIT, PROCEEDING), (REPORT_ERROR, TERMINATED)),
    ((NOTHING, COMPLETED), (NOTHING, COMPLETED), (END, TERMINATED), (NOTHING, COMPLETED)),
    ((NOTHING, TERMINATED),) * 4,
)


class NonInviteClient:
    """One request other than INVITE on its way to one place."""

    __slots__ = (
        "_interval",
        "_layer",
        "_until",
        "branch",
        "due",
        "flow",
        "request",
        "state",
        "trace",
        "user",
    )

    def __init__(
        self,
        layer: TransactionLayer,
        user: ClientUser,
        branch: bytes,
        request: bytes,
        flow: Flow,
        now: float,
        patience: float = TIMER_B,
    ) -> None:
        """Sends the request. `branch` is the one of its top Via; `patience` is Timer F."""
        self._layer = layer
        self.user = user
        self.branch = branch
        self.request = request
        self.flow = flow
        self.state = TRYING
        self.due = 0.0
        self.trace: Trace | None = None
        self._until = now + patience
        layer.begin(self)
        self._interval = TIMER_B if flow.reliable else T1
        layer.timers.start(self._interval, now, self)

    def receive(self, status: int, data: bytes, now: float) -> None:
        """A response with our branch."""
        action, self.state = TRANSITIONS[self.state][PROVISIONAL if status < 200 else FINAL]
        if action != PASS:
            return
        if status < 200:
            self._interval = T2  # §17.1.2.2: in PROCEEDING Timer E is T2
        else:
            self.request = b""
            if self.flow.reliable:
                self._end()  # Timer K is 0
            else:
                self._layer.timers.start(TIMER_K, now, self)
        self.user.on_response(status, data, now)

    def on_timer(self, now: float) -> None:
        if self.state < COMPLETED and now >= self._until:
            self._end()
            self.user.on_timeout(now)
            return
        action, self.state = TRANSITIONS[self.state][TIMER]
        if action == RETRANSMIT:
            if not self.flow.reliable:
                self._layer.out.append((self.flow, self.request))
            self._interval = min(self._interval * 2, T2)
            self._layer.timers.start(next_interval(self._interval, self._until - now), now, self)
        elif action == END:
            self._end()

    def fail(self, now: float) -> None:
        """The transport reported an error (§17.1.4)."""
        action, self.state = TRANSITIONS[self.state][ERROR]
        if action == REPORT_ERROR:
            self._end()
            self.user.on_transport_error(now)

    def _end(self) -> None:
        self.state = TERMINATED
        self.due = 0.0
        self._layer.end(self)
