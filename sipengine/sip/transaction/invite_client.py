"""INVITE client transaction (RFC 3261 §17.1.1, as amended by RFC 6026 §7.2).

Rules of this file:
1. Every state change is a row of TRANSITIONS.
2. It reads no clock and knows only whether the flow is reliable.
3. Timers A and B are one timer here: each firing of A looks whether B's time has come.

A 2xx ends nothing: each fork that answers makes its own dialog, so every 2xx goes up to the user,
who owns the ACK. Only 300-699 is acknowledged here.
"""

from __future__ import annotations

from typing import Final, Protocol

from sipengine.sip.flow import Flow
from sipengine.sip.header_line import header_line
from sipengine.sip.timers import T1, TIMER_B, TIMER_D, next_interval
from sipengine.sip.trace import Trace
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.transaction.sibling import sibling

CALLING: Final = 0
PROCEEDING: Final = 1
COMPLETED: Final = 2
ACCEPTED: Final = 3
TERMINATED: Final = 4

PROVISIONAL: Final = 0
SUCCESS: Final = 1
FAILURE: Final = 2
TIMER: Final = 3
ERROR: Final = 4

NOTHING: Final = 0
PASS: Final = 1
ACK_AND_PASS: Final = 2
ACK_AGAIN: Final = 3
RETRANSMIT: Final = 4
REPORT_ERROR: Final = 5
END: Final = 6

TRANSITIONS: Final[tuple[tuple[tuple[int, int], ...], ...]] = (
    # PROVISIONAL           SUCCESS             FAILURE                    TIMER                    ERROR
    ((PASS, PROCEEDING), (PASS, ACCEPTED), (ACK_AND_PASS, COMPLETED), (RETRANSMIT, CALLING), (REPORT_ERROR, TERMINATED)),
    ((PASS, PROCEEDING), (PASS, ACCEPTED), (ACK_AND_PASS, COMPLETED), (NOTHING, PROCEEDING), (REPORT_ERROR, TERMINATED)),
    ((NOTHING, COMPLETED), (NOTHING, COMPLETED), (ACK_AGAIN, COMPLETED), (END, TERMINATED), (END, TERMINATED)),
    ((NOTHING, ACCEPTED), (PASS, ACCEPTED), (NOTHING, ACCEPTED), (END, TERMINATED), (NOTHING, ACCEPTED)),
    ((NOTHING, TERMINATED),) * 5,
)  # fmt: skip


class ClientUser(Protocol):
    """The transaction user above a client transaction (§5)."""

    def on_response(self, status: int, data: bytes, now: float) -> None:
        """A response to pass on. `data` is the message as it came."""
        ...

    def on_timeout(self, now: float) -> None:
        """Timer B or F: nobody answered."""
        ...

    def on_transport_error(self, now: float) -> None:
        """The request could not be sent, or its connection broke."""
        ...


class InviteClient:
    """One INVITE on its way to one place. `request` is dropped once nobody will need it again."""

    __slots__ = (
        "_ack",
        "_interval",
        "_layer",
        "_until",
        "branch",
        "cancelling",
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
        """Sends the INVITE. `branch` is the one of its top Via; `patience` is Timer B."""
        self._layer = layer
        self.user = user
        self.branch = branch
        self.request = request
        self.flow = flow
        self.state = CALLING
        self.cancelling = False  # a CANCEL is out: a response may be the CANCEL's
        self.due = 0.0
        self.trace: Trace | None = None
        self._ack = b""
        self._until = now + patience
        layer.begin(self)
        self._interval = TIMER_B if flow.reliable else T1
        layer.timers.start(self._interval, now, self)

    def receive(self, status: int, data: bytes, now: float) -> None:
        """A response with our branch and CSeq method INVITE."""
        kind = PROVISIONAL if status < 200 else SUCCESS if status < 300 else FAILURE
        before = self.state
        action, self.state = TRANSITIONS[before][kind]
        if action == NOTHING:
            return
        if action == ACK_AGAIN:
            self._layer.out.append((self.flow, self._ack))
            return
        user = self.user
        if action == ACK_AND_PASS:
            self._ack = ack_of_failure(self.request, data)
            self._layer.out.append((self.flow, self._ack))
            if self.flow.reliable:
                self._end()  # Timer D is 0 (§17.1.1.2)
            else:
                self._layer.timers.start(TIMER_D, now, self)
        elif self.state != before:
            if self.state == ACCEPTED:
                self.request = b""
                self._layer.timers.start(TIMER_B, now, self)  # Timer M (RFC 6026 §7.2)
            else:
                self.due = 0.0  # §17.1.1.2: no more retransmissions; Timer C is the proxy's
        user.on_response(status, data, now)

    def on_timer(self, now: float) -> None:
        if self.state == CALLING and now >= self._until:
            self._end()
            self.user.on_timeout(now)
            return
        action, self.state = TRANSITIONS[self.state][TIMER]
        if action == RETRANSMIT:
            self._layer.out.append((self.flow, self.request))
            self._interval *= 2
            self._layer.timers.start(next_interval(self._interval, self._until - now), now, self)
        elif action == END:
            self._end()

    def fail(self, now: float) -> None:
        """The transport reported an error (§17.1.4)."""
        action, self.state = TRANSITIONS[self.state][ERROR]
        if action == REPORT_ERROR:
            self._end()
            self.user.on_transport_error(now)
        elif action == END:
            self._end()

    def abandon(self) -> None:
        """The user waits no longer (a cancelled branch that never gave a final answer, §9.1)."""
        self._end()

    def _end(self) -> None:
        self.state = TERMINATED
        self.due = 0.0
        self._layer.end(self)


def ack_of_failure(request: bytes, response: bytes) -> bytes:
    """The ACK of a 300-699 (§17.1.1.3): the INVITE's URI, top Via, From, Call-ID and Routes, the answer's To."""
    return sibling(request, b"ACK", header_line(response, b"To", b"t"))
