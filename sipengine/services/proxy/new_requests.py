"""Requests that begin something: a new call, a text, a subscription elsewhere (RFC 3261 §16.5).

Only our own users may have them forwarded: everybody else is challenged (407) or refused (403).
"""

from __future__ import annotations

from sipengine.api import ConfigSnapshot, Extension
from sipengine.services.challenger import Challenger
from sipengine.services.messages.messaging import Messaging
from sipengine.services.proxy.identity import (
    ASSERTED,
    PREFERRED,
    assert_sender,
    is_anonymous,
    preferred,
    privacy_of,
    screen,
)
from sipengine.services.proxy.new_calls import Caller, NewCalls
from sipengine.services.proxy.preloaded_route import check_routes
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.refused_words import NOT_THE_SENDER
from sipengine.services.responsibility import Responsibility
from sipengine.services.routing import (
    Destination,
    RoutingTable,
)
from sipengine.sip.address import sender_of
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import SECURE, Flow
from sipengine.sip.message import Message
from sipengine.sip.transaction.non_invite_server import NonInviteServer
from sipengine.sip.uri import SipUri, parse_uri


class NewRequests:
    """Decides by the configuration that `set_config` was last told."""

    def __init__(
        self,
        *,
        proxy: Proxy,
        new_calls: NewCalls,
        messaging: Messaging,
        challenger: Challenger,
        responsibility: Responsibility,
    ) -> None:
        self._new_calls = new_calls
        self._messaging = messaging
        self._trusted: frozenset[str] = frozenset()
        self._asserting: frozenset[str] = frozenset()
        self._layer = proxy.layer
        self._proxy = proxy
        self._responsibility = responsibility
        self._challenger = challenger
        self._table = RoutingTable(ConfigSnapshot())

    def set_config(self, table: RoutingTable, trusted: frozenset[str]) -> None:
        """`trusted` are the servers whose word of who somebody is is believed (RFC 3325)."""
        self._table = table
        self._trusted = trusted
        domains = table.snapshot.domains.values()
        self._asserting = frozenset(domain.name for domain in domains if domain.assert_identity)
        self._new_calls.set_config(table, trusted)

    def receive(
        self,
        message: Message,
        flow: Flow,
        reply_flow: Flow,
        key: str,
        loop_hash: int,
        now: float,
    ) -> None:
        """Raises `RemoteProtocolError` for what is refused."""
        if message.method == "MESSAGE" and self._messaging.is_merged(message, key):
            raise RemoteProtocolError(482, "Loop Detected: merged request")
        sender = sender_of(message.value("From") or "")
        aor, hidden = self._named_by(message, sender.uri_text)
        who = self._who(message, aor, hidden, flow, reply_flow, now)
        if who is None:
            return
        uri = _request_uri(message, flow)
        called, instance = self._responsibility.aor_of(uri), ""
        if message.has("Route"):
            check_routes(message)
        if uri.parameters and self._proxy.gruus.concerns(uri):  # RFC 5627 §6.1: one phone
            called, instance = self._proxy.gruus.named_by(uri, now)
            if called not in self._table.snapshot.extensions:
                raise RemoteProtocolError(404, "Not Found")
        if message.has(ASSERTED) or message.has(PREFERRED):
            screen(message, flow, self._trusted)
        secure = uri.scheme == "sips"
        if message.method == "INVITE":
            caller = Caller(who, "" if hidden else sender.display, hidden)
            self._new_calls.receive(
                message, flow, reply_flow, key, loop_hash, now, caller, called, instance
            )
            return
        if message.has("Privacy"):
            privacy_of(message)  # refuses what is critical and cannot be done
        if called and called not in self._table.snapshot.extensions:
            if called in self._table.snapshot.switched_off:
                raise RemoteProtocolError(480, f"{called.rpartition('@')[0]} is switched off")
            raise RemoteProtocolError(404, "Not Found")
        if self._asserting and who.domain in self._asserting:
            assert_sender(message, who)
        if called and message.method == "MESSAGE" and not instance and not secure:
            self._messaging.receive(message, who, called, flow, reply_flow, key, loop_hash, now)
        else:
            destination = Destination(uri=message.uri, secure=secure)
            if called:
                destination = Destination(aor=called, instance=instance, secure=secure)
            other = NonInviteServer(self._layer, key, reply_flow, now)
            self._proxy.non_invite(other, message, flow, (destination,), loop_hash, now)

    # -- who asks

    def _named_by(self, message: Message, from_uri: str) -> tuple[str, bool]:
        """(the AOR that the sender claims to be, whether the From keeps it to itself)."""
        aor = ""
        if from_uri[:3].lower() == "sip":
            aor = self._responsibility.aor_of(parse_uri(from_uri))
        hidden = not aor and is_anonymous(from_uri)
        if hidden and message.has(PREFERRED):
            aor = self._responsibility.aor_of(parse_uri(preferred(message)))
        return aor, hidden

    def _who(
        self, message: Message, aor: str, hidden: bool, flow: Flow, reply_flow: Flow, now: float
    ) -> Extension | None:
        """Who has proved to be the sender; None if he was challenged instead."""
        realm = aor.rpartition("@")[2] or self._table.snapshot.default_domain
        # A message that is kept is answered by no transaction (services.messages).
        seen_on = flow if message.method == "MESSAGE" else None
        who = self._challenger.identify(message, reply_flow, realm, True, now, seen_on)
        if who is not None and who.aor != aor and not hidden:
            raise RemoteProtocolError(403, NOT_THE_SENDER)
        return who


def _request_uri(message: Message, flow: Flow) -> SipUri:
    """The Request-URI; `RemoteProtocolError` for one that a new request cannot have."""
    uri = parse_uri(message.uri)
    if uri.headers:  # §19.1.1: not allowed there, and they must not go on (RFC 4475 §3.1.2.11)
        raise RemoteProtocolError(400, "Bad Request: headers in the Request-URI")
    if uri.scheme == "sips" and flow.transport not in SECURE:  # RFC 5630 §5.3: its parts do not fit
        raise RemoteProtocolError(400, "Bad Request: a sips: request that did not come by TLS")
    return uri
