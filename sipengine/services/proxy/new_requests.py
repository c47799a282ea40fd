"""Requests that begin something: a new call, a message to a user (RFC 3261 §16.5).

Only our own users may have them forwarded: everybody else is challenged (407) or refused (403).
"""

from __future__ import annotations

from sipengine.api import ConfigSnapshot, Extension
from sipengine.services.call import Call
from sipengine.services.calls import MAX_CALLS, Calls
from sipengine.services.challenger import Challenger
from sipengine.services.gruu import to_one_phone
from sipengine.services.messages.messaging import Messaging
from sipengine.services.own_answers import OwnAnswers
from sipengine.services.proxy.additions import Additions
from sipengine.services.proxy.identity import (
    ASSERTED,
    PREFERRED,
    asserted_line,
    is_anonymous,
    preferred,
    privacy_of,
    screen,
)
from sipengine.services.proxy.outcomes import result_of
from sipengine.services.proxy.preloaded_route import check_routes
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.proxy.session_timer import SessionAsk, SessionTimers
from sipengine.services.proxy.sips import NOT_ALLOWED, secured
from sipengine.services.redirect import contacts_of, registered_contacts
from sipengine.services.replies import reply
from sipengine.services.responsibility import Responsibility
from sipengine.services.routing import (
    REPLY_CONTACTS,
    REPLY_REGISTERED,
    RING,
    Decision,
    Destination,
    RoutingTable,
    Stage,
    to_outside,
)
from sipengine.services.ua.own_calls import OwnCalls
from sipengine.sip.address import readable, sender_of
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import SECURE, Flow
from sipengine.sip.message import Message
from sipengine.sip.transaction.invite_server import InviteServer
from sipengine.sip.transaction.non_invite_server import NonInviteServer
from sipengine.sip.uri import SipUri, parse_uri


class NewRequests:
    """Decides by the configuration that `set_config` was last told."""

    def __init__(
        self,
        *,
        proxy: Proxy,
        calls: Calls,
        sessions: SessionTimers,
        messaging: Messaging,
        own_calls: OwnCalls,
        challenger: Challenger,
        responsibility: Responsibility,
        answers: OwnAnswers,
    ) -> None:
        self._own_calls = own_calls
        self._sessions = sessions
        self._messaging = messaging
        self._asserting: frozenset[str] = frozenset()
        self._trusted: frozenset[str] = frozenset()
        self._layer = proxy.layer
        self._calls = calls
        self._proxy = proxy
        self._location = proxy.location
        self._responsibility = responsibility
        self._challenger = challenger
        self._answers = answers
        self._table = RoutingTable(ConfigSnapshot())

    def set_config(self, table: RoutingTable, trusted: frozenset[str]) -> None:
        """`trusted` are the servers whose word of who somebody is is believed (RFC 3325)."""
        self._table = table
        self._trusted = trusted
        domains = table.snapshot.domains.values()
        self._asserting = frozenset(domain.name for domain in domains if domain.assert_identity)

    def receive(
        self,
        message: Message,
        flow: Flow,
        reply_flow: Flow,
        key: str,
        hash_of_loop: int,
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
            name = "" if hidden else sender.display
            self._receive_invite(
                message,
                flow,
                reply_flow,
                key,
                hash_of_loop,
                now,
                who,
                name,
                hidden,
                called,
                instance,
            )
        elif called and called not in self._table.snapshot.extensions:
            raise RemoteProtocolError(404, "Not Found")
        elif called and message.method == "MESSAGE" and not instance and not secure:
            self._messaging.receive(message, who, called, flow, reply_flow, key, hash_of_loop, now)
        else:
            destination = Destination(uri=message.uri, secure=secure)
            if called:
                destination = Destination(aor=called, instance=instance, secure=secure)
            other = NonInviteServer(self._layer, key, reply_flow, now)
            self._proxy.non_invite(other, message, flow, (destination,), hash_of_loop, now)

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
            raise RemoteProtocolError(403, "Forbidden: From is not the authenticated user")
        return who

    # -- a new call

    def _receive_invite(
        self, message: Message, flow: Flow, reply_flow: Flow, key: str, hash_of_loop: int, now: float,
        who: Extension, name: str, hidden: bool, called: str, instance: str,
    ) -> None:  # fmt: skip
        if self._calls.count >= MAX_CALLS:
            raise RemoteProtocolError(503, "Service Unavailable")
        if message.has("Replaces") and self._own_calls.has(message):
            server = InviteServer(self._layer, key, reply_flow, now)
            self._own_calls.replace(message, flow, server, who, now)
            return
        additions = self._additions(message, who, hidden)
        session = None
        if self._sessions.concerns(message):
            session = self._sessions.ask(message, who.domain)
        server = InviteServer(self._layer, key, reply_flow, now)
        call = self._begin(message, flow, who, name, now)
        call.hidden = hidden
        if self._proxy.transfers:
            self._proxy.transfers.begun(call, message.uri, now)
        self._invite(
            message, flow, server, call, called, instance, hash_of_loop, now, additions, session
        )

    def _additions(self, message: Message, who: Extension, hidden: bool) -> Additions | None:
        """What the request's own headers or the settings of the caller's domain ask to be added."""
        private = hidden or message.has("Privacy")
        asserting = bool(self._asserting) and who.domain in self._asserting
        if not (private or asserting or message.has("History-Info") or message.has("Max-Breadth")):
            return None
        line = ""
        if (private or asserting) and not message.has(ASSERTED):
            line = asserted_line(who)
        return Additions(message, line, privacy_of(message), self._trusted)

    def _begin(
        self, message: Message, flow: Flow, who: Extension, display: str, now: float
    ) -> Call:
        call = self._calls.begin(message.call_id, message.from_tag, now)
        call.caller_flow = flow
        call.domain = who.domain
        call.caller = who.aor
        call.caller_name = readable(display) or who.name
        call.caller_device = readable(message.value("User-Agent") or "")[:200]
        return call

    def _invite(
        self, message: Message, flow: Flow, server: InviteServer, call: Call, called: str,
        instance: str, hash_of_loop: int, now: float, additions: Additions | None, session: SessionAsk | None,
    ) -> None:  # fmt: skip
        """A new call: decide where it goes and go there."""
        if called:
            number, _, domain = called.rpartition("@")
            if instance:
                decision = to_one_phone(self._table.snapshot.extensions[called], instance)
            else:
                decision = self._table.decide(number, domain)
            call.called = number
        else:
            decision = to_outside(message.uri)
            call.called = message.uri
        if message.uri[:5].lower() == "sips:":
            decision = secured(decision)
        call.rule = decision.rule
        call.decision = decision.trace
        if call.hidden:
            call.decision += ("The caller withheld name and number from the called party.",)
        if message.has("Session-ID"):  # RFC 7989: what the phones' own logs call it
            uuid = readable(message.value("Session-ID") or "").partition(";")[0]
            call.decision += (f"In the phones' own logs this call is {uuid[:32]}.",)
        if decision.kind == RING and decision.stage is not None:
            if self._only_insecure(decision.stage, now):
                data = reply(message, 480, to_tag=self._answers.tag(message), extra=[NOT_ALLOWED])
                server.respond(480, data, now)
                call.finish("failed", 480, "system", now, "no phone there is reached by TLS")
                return
            server.respond(100, reply(message, 100), now)
            self._proxy.invite(
                server, message, flow, call, decision, hash_of_loop, now,
                additions=additions, session=session,
            )  # fmt: skip
        elif decision.feature is not None:
            self._own_calls.receive(message, flow, server, call, decision.feature, now)
        else:
            self._answer(message, server, call, decision, now)

    def _only_insecure(self, stage: Stage, now: float) -> bool:
        """Whether TLS is wanted and nobody there is reached by it, nor anybody else is tried."""
        if stage.onward or not stage.destinations[0].secure:
            return False
        return not self._proxy.targets(stage.destinations, now)

    def _answer(
        self, message: Message, server: InviteServer, call: Call, decision: Decision, now: float
    ) -> None:
        """Be the redirect server (§8.3), or refuse."""
        status, reason, why = decision.status, decision.reason, decision.why
        extra: list[str] = []
        call.diverted = decision.diverted
        if decision.kind == REPLY_CONTACTS:
            status, reason, extra = 302, "", contacts_of(decision.contacts)
        elif decision.kind == REPLY_REGISTERED:
            assert decision.stage is not None
            extra = registered_contacts(decision.stage.destinations, self._location, now)
            status, reason = (302, "") if extra else (480, "")
            why = "the registered phone" if extra else "no phone is registered there"
        tag = self._answers.tag(message)
        phrase = reason.encode().decode("latin-1")  # UTF-8 on the wire (§7.2)
        self._layer.answers_itself(message, server.key)
        server.respond(status, reply(message, status, phrase, tag, extra), now)
        result = result_of(status)
        call.finish("failed" if result == "no_answer" else result, status, "system", now, why)


def _request_uri(message: Message, flow: Flow) -> SipUri:
    """The Request-URI; `RemoteProtocolError` for one that a new request cannot have."""
    uri = parse_uri(message.uri)
    if uri.headers:  # §19.1.1: not allowed there, and they must not go on (RFC 4475 §3.1.2.11)
        raise RemoteProtocolError(400, "Bad Request: headers in the Request-URI")
    if uri.scheme == "sips" and flow.transport not in SECURE:  # RFC 5630 §5.3: its parts do not fit
        raise RemoteProtocolError(400, "Bad Request: a sips: request that did not come by TLS")
    return uri
