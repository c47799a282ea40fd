"""INVITE server transaction (RFC 3261 §17.2.1, as amended by RFC 6026 §7.1).

Timers G and H are one timer here: each firing of G looks whether H's time has come.
The ACCEPTED state absorbs INVITEs that come again after a 2xx while every 2xx still goes out.
"""

from __future__ import annotations

from typing import Final, Protocol

from sipengine.sip.flow import Flow
from sipengine.sip.header_line import header_line
from sipengine.sip.message import tag_of
from sipengine.sip.timers import T1, T2, TIMER_B, TIMER_I, next_interval
from sipengine.sip.transaction.layer import TransactionLayer

PROCEEDING: Final = 0
COMPLETED: Final = 1
CONFIRMED: Final = 2
ACCEPTED: Final = 3
TERMINATED: Final = 4

INVITE: Final = 0
ACK: Final = 1
SEND_PROVISIONAL: Final = 2
SEND_SUCCESS: Final = 3
SEND_FAILURE: Final = 4
TIMER: Final = 5

NOTHING: Final = 0
SEND: Final = 1
SEND_AGAIN: Final = 2
CONFIRM: Final = 3
END: Final = 4
REFUSE: Final = 5

TRANSITIONS: Final[tuple[tuple[tuple[int, int], ...], ...]] = (
    # INVITE                   ACK                   SEND_PROVISIONAL      SEND_SUCCESS         SEND_FAILURE         TIMER
    ((SEND_AGAIN, PROCEEDING), (NOTHING, PROCEEDING), (SEND, PROCEEDING), (SEND, ACCEPTED), (SEND, COMPLETED), (NOTHING, PROCEEDING)),
    ((SEND_AGAIN, COMPLETED), (CONFIRM, CONFIRMED), (REFUSE, COMPLETED), (REFUSE, COMPLETED), (REFUSE, COMPLETED), (SEND_AGAIN, COMPLETED)),
    ((NOTHING, CONFIRMED), (NOTHING, CONFIRMED), (REFUSE, CONFIRMED), (REFUSE, CONFIRMED), (REFUSE, CONFIRMED), (END, TERMINATED)),
    ((NOTHING, ACCEPTED), (NOTHING, ACCEPTED), (REFUSE, ACCEPTED), (SEND, ACCEPTED), (REFUSE, ACCEPTED), (END, TERMINATED)),
    ((NOTHING, TERMINATED), (NOTHING, TERMINATED), (REFUSE, TERMINATED), (REFUSE, TERMINATED), (REFUSE, TERMINATED), (NOTHING, TERMINATED)),
)  # fmt: skip


class InviteServerUser(Protocol):
    """The transaction user above an INVITE server transaction."""

    def on_cancel(self, reason: str, now: float) -> None:
        """The caller sent CANCEL; `reason` is the CANCEL's Reason header line or ""."""
        ...


class InviteServer:
    """One INVITE that came to us; answers go to `flow`."""

    __slots__ = ("_interval", "_last", "_layer", "_until", "call_id", "due", "flow", "key", "state", "user")  # fmt: skip

    def __init__(
        self, layer: TransactionLayer, key: str, flow: Flow, call_id: str, now: float
    ) -> None:
        self._layer = layer
        self.key = key
        self.flow = flow
        self.call_id = call_id
        self.user: InviteServerUser | None = None
        self.state = PROCEEDING
        self.due = 0.0
        self._last = b""
        self._interval = T1
        self._until = 0.0
        layer.servers[key] = self

    def receive(self, method: str, now: float) -> None:
        """The INVITE again, or the ACK of a failure."""
        action, self.state = TRANSITIONS[self.state][ACK if method == "ACK" else INVITE]
        if action == SEND_AGAIN:
            if self._last:
                self._layer.out.append((self.flow, self._last))
        elif action == CONFIRM:
            self._last = b""
            self._layer.unconfirmed.discard(self)
            if self.flow.reliable:
                self._end()
            else:
                self._layer.timers.start(TIMER_I, now, self)

    def respond(self, status: int, data: bytes, now: float) -> bool:
        """Send an answer. False if the transaction has had its final answer already."""
        before = self.state
        kind = SEND_PROVISIONAL if status < 200 else SEND_SUCCESS if status < 300 else SEND_FAILURE
        action, self.state = TRANSITIONS[before][kind]
        if action == REFUSE:
            return False
        if not self.flow.open and self._layer.way_back is not None:
            self.flow = self._layer.way_back.again(self._layer, self.flow, data, now)
        self._layer.out.append((self.flow, data))
        if self.state == before:
            if status < 200:
                self._last = data
        elif self.state == ACCEPTED:
            self._last = b""
            self._layer.timers.start(TIMER_B, now, self)  # Timer L (RFC 6026 §7.1)
        else:
            self._last = data
            self._layer.unconfirmed.add(self)
            self._until = now + TIMER_B  # Timer H
            self._interval = TIMER_B if self.flow.reliable else T1
            self._layer.timers.start(self._interval, now, self)
        return True

    def on_timer(self, now: float) -> None:
        if self.state == COMPLETED and now >= self._until:
            self._end()  # Timer H: no ACK came; a proxy has nobody to tell (§17.2.1)
            return
        action, self.state = TRANSITIONS[self.state][TIMER]
        if action == SEND_AGAIN:
            self._layer.out.append((self.flow, self._last))
            self._interval = min(self._interval * 2, T2)
            self._layer.timers.start(next_interval(self._interval, self._until - now), now, self)
        elif action == END:
            self._end()

    def is_acknowledged_by(self, number: int, to_tag: str) -> bool:
        """Whether the failure sent last has this number and this To tag."""
        cseq = (header_line(self._last, b"CSeq", b"cseq") or b"")[5:].split()
        to = header_line(self._last, b"To", b"t") or b""
        return cseq[:1] == [b"%d" % number] and tag_of(to.decode("latin-1")) == to_tag

    def _end(self) -> None:
        if self.state == COMPLETED:
            self._layer.unconfirmed.discard(self)
        self.state = TERMINATED
        self.due = 0.0
        self.user = None
        self._layer.servers.pop(self.key, None)
