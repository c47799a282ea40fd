"""Requests whose Request-URI is this server itself: REGISTER and OPTIONS (RFC 3261 §10.3, §11.2)."""

from __future__ import annotations

from typing import Final, Protocol

from sipengine.services.challenger import Challenger
from sipengine.services.guard.guard import Guard
from sipengine.services.own_answers import ALLOW, SUPPORTED, OwnAnswers
from sipengine.services.own_bodies import check_body
from sipengine.services.registrar import Registrar
from sipengine.services.replies import reply
from sipengine.services.sips_contacts import check_sips_request, is_sips
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message

METHODS: Final = frozenset(
    {
        "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY",
        "PUBLISH", "INFO", "REFER", "MESSAGE", "UPDATE",
    }
)  # fmt: skip
"""Every method of SIP. Those that are not allowed here are 405 (§8.2.1), any other word is 501 (§21.5.2)."""
_OF_USERS: Final = frozenset({"SUBSCRIBE", "PUBLISH", "MESSAGE"})
"""Allowed here, but only towards one of our users."""

Held = list[tuple[Flow, bytes, Message]]


class Mailroom(Protocol):
    """Whoever keeps messages for users who are away."""

    def registered(self, aor: str, now: float) -> None: ...


class OwnRequests:
    """Answers them without a transaction: each can be answered again alike.

    `held` are answers that wait until what they acknowledge is durable.
    """

    def __init__(
        self,
        answers: OwnAnswers,
        challenger: Challenger,
        registrar: Registrar,
        out: list[tuple[Flow, bytes]],
        offset: float,
        guard: Guard | None = None,
    ) -> None:
        self._answers = answers
        self._challenger = challenger
        self._registrar = registrar
        self._out = out
        self._offset = offset
        self._guard = guard
        self.held: Held = []
        self.mailroom: Mailroom | None = None

    def receive(
        self, message: Message, flow: Flow, reply_flow: Flow, domain: str, now: float
    ) -> None:
        """Raises `RemoteProtocolError` for what is refused."""
        if message.uri[3:4] != ":" and is_sips(message.uri):
            check_sips_request(flow)
        if message.has("Require") and not SUPPORTED.issuperset(message.all("Require")):
            raise RemoteProtocolError(420, "Bad Extension")  # §8.2.2.3
        if message.body:
            check_body(message)
        if message.method == "OPTIONS":
            if self._guard is not None:
                agent = message.value("User-Agent") or ""
                if not self._guard.may_answer(reply_flow, agent, now):
                    return
            extra = [
                ALLOW, "Accept: application/sdp", "Supported: gruu, outbound, path", self._answers.allow_events
            ]  # fmt: skip
            self._answers.send(message, reply_flow, 200, extra=extra)
            self._answers.count("options_answered")
        elif message.method == "REGISTER":
            self._register(message, flow, reply_flow, domain, now)
        elif message.method in _OF_USERS:
            raise RemoteProtocolError(404, "Not Found: no user in the Request-URI")
        else:
            if message.method not in METHODS:
                raise RemoteProtocolError(501, "Not Implemented")
            raise RemoteProtocolError(405, "Method Not Allowed")

    def _register(
        self, message: Message, flow: Flow, reply_flow: Flow, domain: str, now: float
    ) -> None:
        who = self._challenger.identify(message, reply_flow, domain, False, now, flow)
        if who is None:
            return
        done = self._registrar.register(message, who, flow, now, now + self._offset)
        data = reply(message, done.status, done.reason, self._answers.tag(message), done.lines)
        if done.durable:
            self.held.append((reply_flow, data, message))
        else:
            self._out.append((reply_flow, data))
        if self.mailroom is not None and done.status < 300:
            self.mailroom.registered(who.aor, now)
        self._answers.count("registrations" if done.status < 300 else "registrations_refused")
