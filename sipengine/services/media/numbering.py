"""The numbers of one side's requests in an anchored dialog, where we have sent some in its name.

Each of ours takes a number that the side itself would have given to its next request, so that all its
later ones go on with a higher number, and their answers come back with its own (RFC 3261 §12.2.1.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.transaction.invite_server import InviteServer
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.transaction.non_invite_server import NonInviteServer

if TYPE_CHECKING:
    from sipengine.services.media.told_keys import ToldKeys

SHORTEST_S: Final = 0.04
"""Between two keys (ITU-T Q.24); more would make a flood of requests out of packets."""


class Numbering:
    """Of one side: `events` tells whether it takes telephone events (RFC 4733), None if unknown."""

    __slots__ = ("_invite_shift", "_last", "_pressed", "_shift", "events", "told")

    def __init__(self) -> None:
        self.events: bool | None = None
        self.told: ToldKeys | None = None
        self._last = 0
        self._pressed = 0.0
        self._shift = 0
        self._invite_shift = 0  # that of its last INVITE, which its ACK must have

    def next(self) -> int:
        """The number of a request of ours in its name."""
        self._shift += 1
        return self._last + self._shift

    def may_press(self, now: float) -> bool:
        """Whether it may be a key that somebody pressed now: nobody is that quick."""
        quick = now - self._pressed < SHORTEST_S
        self._pressed = now
        return not quick

    @property
    def shifted(self) -> bool:
        return self._shift > 0

    def seen(self, message: Message) -> None:
        """The side's own request goes on; its numbers become what the other side expects."""
        number = message.cseq
        if message.method == "ACK":
            _renumber(message, number + self._invite_shift)
            return
        self._last = max(self._last, number)
        if message.method == "INVITE":
            self._invite_shift = self._shift
        if not self._shift:
            return
        _renumber(message, number + self._shift)
        if message.method == "PRACK":
            words = (message.value("RAck") or "").split()
            if len(words) == 3 and words[1].isdigit():
                words[1] = str(int(words[1]) + self._invite_shift)
                message.replace("RAck", [" ".join(words)])

    def answers(self, message: Message) -> None:
        """The other side's NOTIFY names this one's REFER by its number (RFC 3515 §2.4.6)."""
        event = message.value("Event") or ""
        name, _, number = event.replace(" ", "").partition(";id=")
        if self._shift and name.lower() == "refer" and number.isascii() and number.isdigit():
            message.replace("Event", [f"refer;id={max(0, int(number[:10]) - self._shift)}"])


def _renumber(message: Message, number: int) -> None:
    if number != message.cseq:
        message.replace("CSeq", [f"{number} {message.method}"])


def _restored(data: bytes, cseq: bytes) -> bytes:
    """An answer with the number that its request came with."""
    head, end, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    for at, line in enumerate(lines):
        if line[:5].lower() == b"cseq:" or line.partition(b":")[0].rstrip().lower() == b"cseq":
            lines[at] = b"CSeq: " + cseq
    return b"\r\n".join(lines) + end + body


def _own(message: Message) -> bytes:
    return f"{message.cseq} {message.method}".encode()


class RenumberedInvite(InviteServer):
    """The server transaction of a re-INVITE that goes on with another number."""

    __slots__ = ("_cseq",)

    def __init__(
        self, layer: TransactionLayer, key: str, flow: Flow, message: Message, now: float
    ) -> None:
        super().__init__(layer, key, flow, message.call_id, now)
        self._cseq = _own(message)

    def respond(self, status: int, data: bytes, now: float) -> bool:
        return super().respond(status, _restored(data, self._cseq), now)


class RenumberedOther(NonInviteServer):
    """The same of any other request."""

    __slots__ = ("_cseq",)

    def __init__(
        self, layer: TransactionLayer, key: str, flow: Flow, message: Message, now: float
    ) -> None:
        super().__init__(layer, key, flow, now)
        self._cseq = _own(message)

    def respond(self, status: int, data: bytes, now: float) -> bool:
        return super().respond(status, _restored(data, self._cseq), now)


def invite_server(
    layer: TransactionLayer, key: str, flow: Flow, message: Message, speaker: Numbering | None, now: float
) -> InviteServer:  # fmt: skip
    """The server transaction of a re-INVITE of `speaker`, whose number is changed to what it must be."""
    if speaker is None:
        return InviteServer(layer, key, flow, message.call_id, now)
    if speaker.shifted:
        invite: InviteServer = RenumberedInvite(layer, key, flow, message, now)
    else:
        invite = InviteServer(layer, key, flow, message.call_id, now)
    speaker.seen(message)
    return invite


def other_server(
    layer: TransactionLayer, key: str, flow: Flow, message: Message, speaker: Numbering | None, now: float
) -> NonInviteServer:  # fmt: skip
    """The same for any other request."""
    if speaker is None:
        return NonInviteServer(layer, key, flow, now)
    if speaker.shifted:
        other: NonInviteServer = RenumberedOther(layer, key, flow, message, now)
    else:
        other = NonInviteServer(layer, key, flow, now)
    speaker.seen(message)
    return other
