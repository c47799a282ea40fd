"""New calls: where each one goes, and going there (RFC 3261 §16.5, §8.3)."""

from __future__ import annotations

from sipengine.api import ConfigSnapshot, Extension
from sipengine.services.call import Call
from sipengine.services.calls import MAX_CALLS, Calls
from sipengine.services.gruu import to_one_phone
from sipengine.services.own_answers import OwnAnswers
from sipengine.services.proxy.additions import Additions
from sipengine.services.proxy.answerers import Answerers
from sipengine.services.proxy.identity import (
    ASSERTED,
    asserted_line,
    privacy_of,
)
from sipengine.services.proxy.outcomes import result_of
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.proxy.session_timer import SessionTimers
from sipengine.services.proxy.sips import NOT_ALLOWED, secured
from sipengine.services.redirect import contacts_of, registered_contacts
from sipengine.services.replies import reply
from sipengine.services.routing import (
    REPLY_CONTACTS,
    REPLY_REGISTERED,
    RING,
    Decision,
    RoutingTable,
    Stage,
    to_outside,
)
from sipengine.services.ua.own_calls import OwnCalls
from sipengine.sip.address import readable
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.session_id import session_uuid
from sipengine.sip.transaction.invite_server import InviteServer


class Caller:
    """Who calls: the `extension` that has proved its password, and the `name` that its From displays.

    `hidden` if the From keeps to itself who it is (RFC 3323).
    """

    __slots__ = ("extension", "hidden", "name")

    def __init__(self, extension: Extension, name: str, hidden: bool) -> None:
        self.extension = extension
        self.name = name
        self.hidden = hidden


class NewCalls:
    """Decides by the configuration that `set_config` was last told."""

    def __init__(
        self,
        proxy: Proxy,
        calls: Calls,
        sessions: SessionTimers,
        own_calls: OwnCalls,
        answers: OwnAnswers,
    ) -> None:
        self._layer = proxy.layer
        self._proxy = proxy
        self._calls = calls
        self._sessions = sessions
        self._own_calls = own_calls
        self._answers = answers
        self._table = RoutingTable(ConfigSnapshot())
        self._asserting: frozenset[str] = frozenset()
        self._trusted: frozenset[str] = frozenset()

    def set_config(self, table: RoutingTable, trusted: frozenset[str]) -> None:
        """`trusted` are the servers whose word of who somebody is is believed (RFC 3325)."""
        self._table = table
        self._trusted = trusted
        domains = table.snapshot.domains.values()
        self._asserting = frozenset(domain.name for domain in domains if domain.assert_identity)
        answerers = None
        if self._asserting or trusted:
            answerers = Answerers(table.snapshot.extensions, self._asserting, trusted)
        self._proxy.answerers = answerers

    def receive(
        self,
        message: Message,
        flow: Flow,
        reply_flow: Flow,
        key: str,
        loop_hash: int,
        now: float,
        caller: Caller,
        called: str,
        instance: str,
    ) -> None:
        """An INVITE out of a dialog. `called` is an AOR of ours, or "" for somebody elsewhere; with
        `instance` only that phone of it (RFC 5627).

        Raises `RemoteProtocolError` for what is refused before it is a call of the log.
        """
        if self._calls.count >= MAX_CALLS:
            raise RemoteProtocolError(503, "Service Unavailable")
        if message.has("Replaces") and self._own_calls.has(message):
            server = InviteServer(self._layer, key, reply_flow, message.call_id, now)
            self._own_calls.replace(message, flow, server, caller.extension, now)
            return
        additions = self._additions(message, caller)
        session = None
        if self._sessions.concerns(message):
            session = self._sessions.ask(message, caller.extension.domain)
        server = InviteServer(self._layer, key, reply_flow, message.call_id, now)
        call = self._begin(message, flow, caller, now)
        if self._proxy.transfers:
            self._proxy.transfers.begun(call, message.uri, now)
        decision = self._decide(message, call, called, instance)
        if decision.kind == RING and decision.stage is not None:
            if self._only_insecure(decision.stage, now):
                self._refuse_insecure(message, server, call, now)
                return
            server.respond(100, reply(message, 100), now)
            self._proxy.invite(
                server, message, flow, call, decision, loop_hash, now,
                additions=additions, session=session,
            )  # fmt: skip
        elif decision.feature is not None:
            self._own_calls.receive(message, flow, server, call, decision.feature, now)
        else:
            self._answer(message, server, call, decision, now)

    def _additions(self, message: Message, caller: Caller) -> Additions | None:
        """What the request's own headers or the settings of the caller's domain ask to be added."""
        who = caller.extension
        private = caller.hidden or message.has("Privacy")
        asserting = bool(self._asserting) and who.domain in self._asserting
        if not (private or asserting or message.has("History-Info") or message.has("Max-Breadth")):
            return None
        line = ""
        if (private or asserting) and not message.has(ASSERTED):
            line = asserted_line(who)
        elif private:  # a trusted server's word, which is not for everybody either (RFC 3325 §7)
            line = "".join(f"{ASSERTED}: {text}\r\n" for text in message.whole_lines(ASSERTED))
            message.replace(ASSERTED, [])
        return Additions(message, line, privacy_of(message), self._trusted)

    def _begin(self, message: Message, flow: Flow, caller: Caller, now: float) -> Call:
        """The call's row, as far as it is known before it is decided where it goes."""
        call = self._calls.begin(message.call_id, message.from_tag, now)
        call.caller_flow = flow
        call.domain = caller.extension.domain
        call.caller = caller.extension.aor
        call.caller_name = readable(caller.name) or caller.extension.name
        call.caller_device = readable(message.value("User-Agent") or "")[:200]
        call.hidden = caller.hidden
        return call

    def _decide(self, message: Message, call: Call, called: str, instance: str) -> Decision:
        """Where the call goes; its row says why."""
        if called:
            number, _, domain = called.rpartition("@")
            if instance:
                decision = to_one_phone(self._table.snapshot.extensions[called], instance)
            else:
                decision = self._table.decide(number, domain)
            call.called = number if domain == call.domain else called
        else:
            decision = to_outside(message.uri)
            call.called = message.uri
        if message.uri[:5].lower() == "sips:":
            decision = secured(decision)
        call.rule = decision.rule
        call.decision = decision.steps
        if call.hidden:
            call.decision += ("The caller withheld name and number from the called party.",)
        if message.has("Session-ID") and (uuid := session_uuid(message)):  # RFC 7989
            call.decision += (f"In the phones' own logs this call is {uuid}.",)
        return decision

    def _only_insecure(self, stage: Stage, now: float) -> bool:
        """Whether TLS is wanted and nobody there is reached by it, nor anybody else is tried."""
        if stage.onward or not stage.destinations[0].secure:
            return False
        return not self._proxy.targets(stage.destinations, now)

    def _refuse_insecure(
        self, message: Message, server: InviteServer, call: Call, now: float
    ) -> None:
        data = reply(message, 480, to_tag=self._answers.tag(message), extra=[NOT_ALLOWED])
        server.respond(480, data, now)
        call.finish("failed", 480, "system", now, "no phone there is reached by TLS")

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
            extra = registered_contacts(decision.stage.destinations, self._proxy.location, now)
            status, reason = (302, "") if extra else (480, "")
            why = "the registered phone" if extra else "no phone is registered there"
        tag = self._answers.tag(message)
        phrase = reason.encode().decode("latin-1")  # UTF-8 on the wire (§7.2)
        self._layer.answers_itself(message, server.key)
        server.respond(status, reply(message, status, phrase, tag, extra), now)
        result = result_of(status)
        call.finish("failed" if result == "no_answer" else result, status, "system", now, why)
