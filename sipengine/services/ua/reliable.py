"""Reliable provisional responses (RFC 3262), both roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sipengine.services.ua.alarm import Alarm
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.timers import T1, TIMER_B, next_interval
from sipengine.sip.transaction.invite_server import InviteServer
from sipengine.sip.transaction.layer import TransactionLayer

MAX_WAITING: Final = 8
"""Provisional responses that may wait behind one without its PRACK."""
BIGGEST: Final = 2**31 - 1


class ReliableSender:
    """The UAS's side (RFC 3262 §3): one response at a time, sent again until its PRACK comes."""

    __slots__ = (
        "_alarm", "_data", "_interval", "_layer", "_lost", "_rseq", "_server", "_until", "_waiting",
    )  # fmt: skip

    def __init__(
        self,
        layer: TransactionLayer,
        server: InviteServer,
        first: int,
        lost: Callable[[float], None],
    ) -> None:
        """`first` is the RSeq of the first response, from 1 up (RFC 3262 §3); `lost` is called if no PRACK
        comes for 64*T1."""
        self._layer = layer
        self._server = server
        self._rseq = first - 1
        self._alarm = Alarm(layer.timers, self._again)
        self._data = b""
        self._interval = T1
        self._until = 0.0
        self._waiting: list[tuple[int, bytes]] = []
        self._lost = lost

    @property
    def open(self) -> bool:
        """Whether a response waits for its PRACK."""
        return bool(self._data)

    @property
    def full(self) -> bool:
        """Whether no more responses can wait; one that is not sent is no loss for the peer."""
        return len(self._waiting) >= MAX_WAITING

    def next_rseq(self) -> int:
        self._rseq += 1
        return self._rseq

    def send(self, status: int, data: bytes, now: float) -> None:
        """Send a response whose RSeq came from `next_rseq`, or keep it until its turn."""
        if self._data:
            self._waiting.append((status, data))
            return
        self._data = data
        self._interval = T1
        self._until = now + TIMER_B
        self._server.respond(status, data, now)
        self._alarm.start(self._interval, now)

    def acknowledge(self, rack: str, cseq: int) -> None:
        """A PRACK came (RFC 3262 §3). Raises `RemoteProtocolError` 481 if nothing waits for it."""
        fields = rack.split()
        fits = self.open and len(fields) == 3 and fields[2] == "INVITE"
        waiting = self._rseq - len(self._waiting)
        if not fits or _number(fields[0]) != waiting or _number(fields[1]) != cseq:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist: no such RAck")
        self._data = b""
        self._alarm.stop()

    def go_on(self, now: float) -> None:
        """That PRACK is answered: the next response that waits has its turn."""
        if self._waiting and not self._data:
            status, data = self._waiting.pop(0)
            self.send(status, data, now)

    def stop(self) -> None:
        self._data = b""
        self._waiting.clear()
        self._alarm.stop()

    def _again(self, now: float) -> None:
        if now >= self._until:
            self.stop()
            self._lost(now)
            return
        self._layer.out.append((self._server.flow, self._data))
        self._interval *= 2  # RFC 3262 §3: exponential, without an upper bound
        self._alarm.start(next_interval(self._interval, self._until - now), now)


class ReliableReceiver:
    """The UAC's side (RFC 3262 §4): which reliable response of one early dialog is new."""

    __slots__ = ("_rseq",)

    def __init__(self) -> None:
        self._rseq = 0

    def is_new(self, response: Message) -> bool:
        """Whether this one is next in order and wants its PRACK; repeated and early ones do not."""
        number = _number(response.value("RSeq") or "")
        if not 0 < number <= BIGGEST:
            return False
        if self._rseq and number != self._rseq + 1:
            return False
        self._rseq = number
        return True


def _number(text: str) -> int:
    """A number as it stands in RSeq and RAck, -1 if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else -1
