"""The messages of the latest calls, for who asks what happened (docs/decisions/0015-trace.md).

It is always on: a call that went wrong is over when somebody asks. A message costs the path it takes
some 100 ns: two places in a list. Which call it belongs to is known where it is handled anyway, from
its Call-ID for a request, from the client transaction for an answer. Only what is sent for other
reasons (a timer, a name that was found) is searched for its Call-ID.
"""

from __future__ import annotations

from typing import Final

from sipengine.sip.flow import Flow
from sipengine.sip.header_line import header_line
from sipengine.sip.message import Message
from sipengine.sip.trace import BESIDES, NOTHING_RECEIVED, Trace
from sipengine.sip.transaction.invite_client import InviteClient
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.transaction.non_invite_client import NonInviteClient

MOST_BYTES: Final = 32 * 1024 * 1024
"""Of memory for all messages kept: some 3,000 calls of 10 kB, of a small office many days."""
CALL_BYTES: Final = 128 * 1024
"""Of one call: 25 phones that ring at once, or a day of session refreshes."""
STRANGERS: Final = 256
"""Call-IDs that were challenged or refused and made no call: the latest, so that a scanner pushes
out no call, and the person whose phone has a wrong password is still found among them."""
STRANGER_BYTES: Final = 16 * 1024
KEPT_S: Final = 7 * 86400.0
"""Nobody asks for the messages of an older call, and they say who talked to whom from where."""
SPARED: Final = 64
"""Calls still going on that are passed over, at once, when the oldest must make room; strangers that
are not made to."""

_OF_CALLS: Final = ("INVITE", "CANCEL", "ACK")
"""Out of a dialog no other request is one of a call: those cost nothing here."""
_FOLDS: Final = (b" ", b"\t")
_NOBODY: Final = Trace("", 0.0)
_NOBODY.kept = False


class Traces:
    """By Call-ID. Of each message received tell `request`, `answer` or `other` before it is handled,
    and `sent` afterwards; `sent_otherwise` of what was sent without one.
    """

    __slots__ = ("_calls", "_layer", "_most", "_strangers", "forgotten", "size")

    def __init__(self, layer: TransactionLayer, most: int = MOST_BYTES) -> None:
        """`most` bytes are kept; 0: nothing."""
        self._layer = layer
        self._most = most
        self._calls: dict[str, Trace] = {}  # oldest first
        self._strangers: dict[str, Trace] = {}  # the same
        self.size = 0
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._calls) + len(self._strangers)

    # -- while a message is handled

    def request(self, message: Message, data: bytes, flow: Flow, now: float) -> None:
        """A request, whole and sound. An INVITE out of a dialog begins a trace."""
        new = not message.to_tag
        if new and message.method not in _OF_CALLS:
            return
        call_id = message.call_id
        trace = self._calls.get(call_id)
        if trace is None:
            trace = self._strangers.get(call_id)
            if trace is None:
                if not new or message.method != "INVITE" or not self._most:
                    return
                trace = self._begin(call_id, now)
        self._received(trace, data, flow, now)

    def answer(
        self, client: InviteClient | NonInviteClient, data: bytes, flow: Flow, now: float
    ) -> None:
        """An answer to a request of ours."""
        trace = client.trace
        if trace is None:
            trace = self._find(data)
            client.trace = trace or _NOBODY
        if trace is not None and trace.kept:
            self._received(trace, data, flow, now)

    def other(self, data: bytes, flow: Flow, now: float) -> None:
        """What is handled without being looked at closely: it may still belong to a call."""
        trace = self._find(data)
        if trace is not None:
            self._received(trace, data, flow, now)

    def _received(self, trace: Trace, data: bytes, flow: Flow, now: float) -> None:
        self._layer.trace = trace
        entries = trace.entries
        entries.append(now)
        entries.append(flow)
        entries.append(data)

    def sent(self, before: int, mixed: bool, received: int, now: float) -> None:
        """All after the first `before` to be sent came of the message just handled, which has
        `received` bytes. `mixed`: among it may be what belongs to no call, or to another.
        """
        layer = self._layer
        trace = layer.trace
        if trace is None:
            return
        layer.trace = None
        received += BESIDES
        size = trace.size + received
        if mixed:
            self.sent_otherwise(before, now)
            size = trace.size + received
        else:
            entries, out = trace.entries, layer.out
            for flow, data in out[before:] if before else out:
                entries.append(flow)
                entries.append(data)
                size += len(data) + BESIDES
        self.size += size - trace.size
        trace.size = size
        if size > STRANGER_BYTES or self.size > self._most:
            self._bound(trace)

    def sent_otherwise(self, before: int, now: float) -> None:
        """All after the first `before` to be sent is to be told apart by its Call-ID."""
        out = self._layer.out
        for place in range(before, len(out)):
            self._file(out[place][0], out[place][1], now)

    def _file(self, flow: Flow, data: bytes, now: float) -> None:
        """A message sent, into the trace of its Call-ID; an INVITE of ours may begin one."""
        call_id = call_id_of(data)
        trace = self._calls.get(call_id) or self._strangers.get(call_id)
        if trace is None:
            if not (call_id and self._most and data.startswith(b"INVITE ")):
                return
            trace = self._begin(call_id, now)
        entries = trace.entries
        entries.append(now)
        entries.append(flow)
        entries.append(NOTHING_RECEIVED)
        entries.append(flow)
        entries.append(data)
        size = len(data) + BESIDES
        trace.size += size
        self.size += size
        self._bound(trace)

    def _find(self, data: bytes) -> Trace | None:
        if not (self._calls or self._strangers):
            return None
        call_id = call_id_of(data)
        return self._calls.get(call_id) or self._strangers.get(call_id)

    # -- calls of the log

    def admitted(self, call_id: str, now: float) -> None:
        """A call of the log has begun."""
        trace = self._strangers.pop(call_id, None)
        if trace is None:
            trace = self._calls.get(call_id)
            if trace is None:
                if not self._most:
                    return
                trace = Trace(call_id, now)
                self._calls[call_id] = trace
        else:
            self._calls[call_id] = trace
        trace.open += 1

    def ended(self, call_id: str) -> None:
        """It has ended; what still comes of it is kept too."""
        trace = self._calls.get(call_id)
        if trace is not None and trace.open:
            trace.open -= 1

    # -- the limits

    def _begin(self, call_id: str, now: float) -> Trace:
        strangers = self._strangers
        if len(strangers) >= STRANGERS:
            self._forget(strangers.pop(next(iter(strangers))))
        trace = strangers[call_id] = Trace(call_id, now)
        return trace

    def _bound(self, trace: Trace) -> None:
        most = CALL_BYTES if trace.call_id in self._calls else STRANGER_BYTES
        if trace.size > most:
            before = trace.size
            trace.cut(most * 3 // 4)
            self.size -= before - trace.size
        while self.size > self._most and len(self._strangers) > SPARED:
            self._forget(self._strangers.pop(next(iter(self._strangers))))
        spared = 0
        while self.size > self._most and self._calls:
            call_id = next(iter(self._calls))
            oldest = self._calls.pop(call_id)
            if oldest.open and spared < SPARED:
                spared += 1
                self._calls[call_id] = oldest
            else:
                self._forget(oldest)

    def _forget(self, trace: Trace) -> None:
        self.size -= trace.size
        trace.entries = []
        trace.kept = False
        self.forgotten += 1

    def sweep(self, now: float) -> None:
        """Let go of what is too old. Every few seconds."""
        for traces in (self._calls, self._strangers):
            while traces:
                call_id = next(iter(traces))
                if traces[call_id].open or now - traces[call_id].begun < KEPT_S:
                    break
                self._forget(traces.pop(call_id))

    # -- for who asks

    def of(self, call_ids: list[str]) -> list[Trace]:
        """The traces that there are, of these Call-IDs."""
        found = [self._calls.get(one) or self._strangers.get(one) for one in call_ids]
        return [trace for trace in found if trace is not None]

    def counters(self) -> dict[str, int]:
        return {
            "traces_now": len(self),
            "trace_bytes_now": self.size,
            "traces_forgotten": self.forgotten,
        }


def call_id_of(data: bytes) -> str:
    """The Call-ID of an unread message, "" if none is found."""
    at = data.find(b"\r\nCall-ID: ")
    if at > 0 and data.find(b"\r\n\r\n", 0, at + 3) < 0:
        end = data.find(b"\r\n", at + 11)
        if end > 0 and data[end + 2 : end + 3] not in _FOLDS:
            return data[at + 11 : end].decode("latin-1").strip()
    line = header_line(data, b"Call-ID", b"i")
    return "" if line is None else line[8:].decode("latin-1").strip()
