"""MESSAGE requests to our users (RFC 3428): handed to all their phones, kept for who is away."""

from __future__ import annotations

from typing import Final

from sipengine.api import Extension, Fact, KeptMessage
from sipengine.services.messages.delivering import Deliveries
from sipengine.services.messages.kept import KEPT_FOR, Kept
from sipengine.services.own_answers import OwnAnswers
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.replies import reply
from sipengine.services.requests_to_server import Held
from sipengine.services.routing import Destination
from sipengine.services.this_process import ThisProcess
from sipengine.sip.address import readable, sender_of
from sipengine.sip.contact import delta_seconds
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.timers import TIMER_B
from sipengine.sip.transaction.non_invite_server import TRYING, NonInviteServer

MAX_BODY: Final = 1300
"""Octets (RFC 3428 §8): a longer one could not go by UDP in one piece."""

UNREACHABLE: Final = frozenset({480, 500, 503})
"""Final answers of a phone, or ours in its stead, after which the message is kept: nobody was there."""

SWEEP_S: Final = 900.0
MAX_RECENT: Final = 10_000
MAX_URI: Final = 300


class Messaging:
    """What the proxy hands on for MESSAGE, and the registrar's word that somebody is back.

    A message that is kept is acknowledged by 202 once it is durable. That answer belongs to no
    transaction: the same request again is recognised and acknowledged again.
    """

    def __init__(
        self,
        proxy: Proxy,
        answers: OwnAnswers,
        held: Held,
        facts: list[Fact],
        process: ThisProcess,
    ) -> None:
        """The 202s go into `held`, kept messages into `facts`."""
        self._layer = proxy.layer
        self._proxy = proxy
        self._answers = answers
        self._held = held
        self._process = process
        self.kept = Kept(facts, process.unique[:15])
        self.deliveries = Deliveries(self.kept, proxy, process)
        self._recent: dict[tuple[str, str, int], tuple[float, str, str]] = {}
        self.due = 0.0

    def receive(
        self,
        message: Message,
        who: Extension,
        recipient: str,
        flow: Flow,
        reply_flow: Flow,
        key: str,
        loop_hash: int,
        now: float,
    ) -> None:
        """A MESSAGE of a known sender to an extension. Raises `RemoteProtocolError` for what is refused."""
        if len(message.body) > MAX_BODY:
            raise RemoteProtocolError(513, "Message Too Large")
        if _key(message) in self._recent:
            self._acknowledge(message, reply_flow)
            return
        destinations = (Destination(aor=recipient),)
        if not self._proxy.targets(destinations, now):
            self.keep(message, who, recipient, reply_flow, key, now)
            return
        server = KeepingServer(self._layer, key, reply_flow, now)
        server.for_message(self, message, who, recipient)
        self._proxy.non_invite(server, message, flow, destinations, loop_hash, now)

    def keep(
        self,
        message: Message,
        who: Extension,
        recipient: str,
        reply_flow: Flow,
        key: str,
        now: float,
    ) -> None:
        """Keep it and acknowledge that once it is durable; 480 if it cannot be kept."""
        wall = now + self._process.offset
        asked = message.value("Expires")
        seconds = KEPT_FOR if asked is None else min(float(delta_seconds(asked)), KEPT_FOR)
        kind = message.value("Content-Type") or "text/plain"
        try:
            body = message.body.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            raise RemoteProtocolError(480, "Temporarily Unavailable") from None
        if message.has("Content-Encoding") or len(kind) > 200 or not seconds or "\0" in body + kind:
            raise RemoteProtocolError(480, "Temporarily Unavailable")
        if not self.kept.has_room(recipient):
            raise RemoteProtocolError(480, "Temporarily Unavailable: too many messages wait")
        sender = sender_of(message.value("From") or "")
        name = readable(sender.display)[:100].replace("\0", "")
        kept = KeptMessage(
            self.kept.identity(wall), recipient, who.aor, name, sender.uri_text[:MAX_URI], kind, body,
            wall, wall + seconds,
        )  # fmt: skip
        self.kept.add(kept)
        self._answers.count("messages_kept")
        if len(self._recent) < MAX_RECENT:
            self._recent[_key(message)] = now + 2 * TIMER_B, kept.id, key
        if not self.due:
            self._layer.timers.start(SWEEP_S, now, self)
        self._acknowledge(message, reply_flow)

    def is_merged(self, message: Message, key: str) -> bool:
        """Whether a MESSAGE is a copy by another way (RFC 3261 §8.2.2.2) of one that was kept."""
        known = self._recent.get(_key(message))
        return known is not None and known[2] != key

    def _acknowledge(self, message: Message, reply_flow: Flow) -> None:
        data = reply(message, 202, to_tag=self._answers.tag(message))
        self._held.append((reply_flow, data, message))

    def registered(self, aor: str, now: float) -> None:
        """A user has registered; perhaps something waits for him."""
        if aor in self.kept:
            self.deliveries.begin(aor, now)

    def lost(self, facts: list[Fact]) -> None:
        """These facts could not be made durable; the senders of new messages are told 503."""
        self.kept.lost(facts)
        lost = {fact.id for fact in facts if isinstance(fact, KeptMessage)}
        for key, (_, identity, _) in list(self._recent.items()):
            if identity in lost:
                del self._recent[key]

    def on_timer(self, now: float) -> None:
        self.due = 0.0
        self.kept.expire(now + self._process.offset)
        for key, (until, _, _) in list(self._recent.items()):
            if until <= now:
                del self._recent[key]
        if len(self.kept) or self._recent:
            self._layer.timers.start(SWEEP_S, now, self)

    def restore(self, messages: list[KeptMessage], now: float) -> None:
        self.kept.restore(messages)
        if messages:
            self._layer.timers.start(SWEEP_S, now, self)


class KeepingServer(NonInviteServer):
    """The transaction of a MESSAGE that was handed to phones: if nobody was there, it is kept."""

    __slots__ = ("_message", "_messaging", "_recipient", "_who")

    _messaging: Messaging
    _message: Message
    _who: Extension
    _recipient: str

    def for_message(
        self, messaging: Messaging, message: Message, who: Extension, recipient: str
    ) -> None:
        self._messaging = messaging
        self._message = message
        self._who = who
        self._recipient = recipient

    def respond(self, status: int, data: bytes, now: float) -> bool:
        if status not in UNREACHABLE or self.state != TRYING:
            return super().respond(status, data, now)
        try:
            self._messaging.keep(
                self._message, self._who, self._recipient, self.flow, self.key, now
            )
        except RemoteProtocolError:
            return super().respond(status, data, now)
        self._end()  # its answer waits for the disk, and belongs to no transaction
        return True


def _key(message: Message) -> tuple[str, str, int]:
    return message.call_id, message.from_tag, message.cseq
