"""Handing kept messages to a user who is back (RFC 3428 §4, §8): in order, one after the other."""

from __future__ import annotations

from typing import Final

from sipengine.api import KeptMessage
from sipengine.services.messages.kept import DELIVERED, Kept
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.proxy.targets import Target, way_to
from sipengine.services.routing import Destination
from sipengine.services.this_process import ThisProcess
from sipengine.sip.dates import sip_date
from sipengine.sip.flow import Flow
from sipengine.sip.transaction.own_request import OwnRequest
from sipengine.sip.uri import escape_user

SETTLE_S: Final = 1.0
"""From the REGISTER to the first message: its answer must have arrived."""

NEVER: Final = frozenset(
    {400, 405, 406, 413, 415, 416, 420, 488, 493, 501, 505, 513, 603, 604, 606}
)
"""Answers after which the same message would be refused again; after others it waits for the next
REGISTER."""


class Delivery:
    """The messages of one user on their way. It is its own timer and the user of its transactions."""

    __slots__ = ("_aor", "_current", "_owner", "_pending", "_refused", "due")

    def __init__(self, owner: Deliveries, aor: str) -> None:
        self._owner = owner
        self._aor = aor
        self._current: KeptMessage | None = None
        self._pending = 0
        self._refused = 0
        self.due = 0.0

    def on_timer(self, now: float) -> None:
        self.due = 0.0
        self._next(now)

    def _next(self, now: float) -> None:
        owner = self._owner
        message = owner.kept.first(self._aor, now + owner.process.offset)
        targets = owner.targets(self._aor, now) if message is not None else []
        if message is None or not targets:
            owner.over(self._aor)
            return
        self._current = message
        self._refused = 0
        self._pending = len(targets)
        for target in targets:
            owner.send(Answer(self, message), message, target, now)

    def answered(self, message: KeptMessage, status: int, now: float) -> None:
        """The final answer of one phone, 0 if there was none."""
        if message is not self._current:
            return  # another phone has taken it
        owner = self._owner
        self._pending -= 1
        if 200 <= status < 300:
            self._current = None
            owner.delivered += 1
            owner.kept.remove(message, DELIVERED, now + owner.process.offset)
            self._next(now)
            return
        if status in NEVER:
            self._refused = status
        if self._pending:
            return
        self._current = None
        if self._refused:
            owner.kept.remove(message, f"refused with {self._refused}", now + owner.process.offset)
            self._next(now)
        else:
            owner.over(self._aor)


class Answer:
    """The user of one transaction."""

    __slots__ = ("_delivery", "_message")

    def __init__(self, delivery: Delivery, message: KeptMessage) -> None:
        self._delivery = delivery
        self._message = message

    def on_response(self, status: int, data: bytes, now: float) -> None:
        if status >= 200:
            self._delivery.answered(self._message, status, now)

    def on_timeout(self, now: float) -> None:
        self._delivery.answered(self._message, 0, now)

    def on_transport_error(self, now: float) -> None:
        self._delivery.answered(self._message, 0, now)


class Deliveries:
    """All deliveries going on, at most one a user."""

    __slots__ = ("_branches", "_going_on", "_proxy", "_tag_prefix", "delivered", "kept", "process")

    def __init__(self, kept: Kept, proxy: Proxy, process: ThisProcess) -> None:
        self.kept = kept
        self.process = process
        self.delivered = 0
        self._proxy = proxy
        self._branches = proxy.branches
        self._tag_prefix = process.tag_prefix
        self._going_on: dict[str, Delivery] = {}

    def begin(self, aor: str, now: float) -> None:
        """The user has registered; begin unless it is being done."""
        if aor not in self._going_on:
            delivery = self._going_on[aor] = Delivery(self, aor)
            self._proxy.layer.timers.start(SETTLE_S, now, delivery)

    def over(self, aor: str) -> None:
        self._going_on.pop(aor, None)

    def targets(self, aor: str, now: float) -> list[Target]:
        return self._proxy.targets((Destination(aor=aor),), now)

    def send(self, user: Answer, message: KeptMessage, target: Target, now: float) -> None:
        flow = way_to(target, self._proxy.flows)
        branch = self._branches.make(0).encode()
        via = flow.via or self._branches.addresses.via(flow)
        request = request_of(message, branch, via, f"{self._tag_prefix}m", target, flow)
        OwnRequest(self._proxy.layer, user, branch, request, flow, now)


def request_of(
    message: KeptMessage, branch: bytes, via: str, tag: str, target: Target, flow: Flow
) -> bytes:
    """The MESSAGE as it goes out: from the sender, with the Date on which he sent it (§20.17)."""
    body = message.body.encode("utf-8", "replace")
    name = message.sender_name.encode("utf-8", "replace").decode("latin-1")
    name = name.replace("\\", "\\\\").replace('"', '\\"')
    display = f'"{name}" ' if name else ""
    rport = "" if flow.reliable else ";rport"
    head = (
        f"MESSAGE {target.uri} SIP/2.0\r\n"
        f"Via: {via};branch={branch.decode()}{rport}\r\n"
        f"{target.routes}"
        "Max-Forwards: 70\r\n"
        f"From: {display}<{message.from_uri}>;tag={tag}\r\n"
        f"To: <{_uri(message.recipient)}>\r\n"
        f"Call-ID: {message.id}\r\n"
        "CSeq: 1 MESSAGE\r\n"
        f"Date: {sip_date(message.sent_at)}\r\n"
        f"Content-Type: {message.content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1", "replace") + body


def _uri(aor: str) -> str:
    number, _, domain = aor.rpartition("@")
    return f"sip:{escape_user(number)}@{domain}"
