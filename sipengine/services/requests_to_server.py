"""Requests whose Request-URI is this server itself: REGISTER and OPTIONS (RFC 3261 §10.3, §11.2)."""

from __future__ import annotations

from typing import Final, Protocol

from sipengine.services.challenger import Challenger
from sipengine.services.guard.guard import Guard
from sipengine.services.methods import METHODS, OF_DIALOGS, OF_USERS
from sipengine.services.own_answers import ALLOW, ALLOW_EVENTS, SUPPORTED, OwnAnswers
from sipengine.services.own_bodies import check_body, check_required
from sipengine.services.refused_words import NO_USER
from sipengine.services.registrar import Registrar
from sipengine.services.replies import reply
from sipengine.services.sips_contacts import check_sips_request, is_sips
from sipengine.services.this_process import ThisProcess
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message

Held = list[tuple[Flow, bytes, Message]]
"""Answers that wait until what they acknowledge is durable, and the requests that they answer."""

_OPTIONS: Final = [
    ALLOW,
    "Accept: application/sdp",
    "Accept-Encoding: identity",
    "Accept-Language: en",
    "Supported: gruu, outbound, path",
    ALLOW_EVENTS,
]


class Mailroom(Protocol):
    """Whoever keeps messages for users who are away."""

    def registered(self, aor: str, now: float) -> None: ...


class RequestsToServer:
    """Answers them without a transaction: each can be answered again alike."""

    def __init__(
        self,
        answers: OwnAnswers,
        challenger: Challenger,
        registrar: Registrar,
        mailroom: Mailroom,
        out: list[tuple[Flow, bytes]],
        held: Held,
        process: ThisProcess,
        guard: Guard | None,
    ) -> None:
        """Answers go into `out`, those to registrations that must last into `held`."""
        self._answers = answers
        self._challenger = challenger
        self._registrar = registrar
        self._out = out
        self._process = process
        self._guard = guard
        self._held = held
        self._mailroom = mailroom

    def receive(
        self, message: Message, flow: Flow, reply_flow: Flow, domain: str, now: float
    ) -> None:
        """Raises `RemoteProtocolError` for what is refused."""
        if message.uri[3:4] != ":" and is_sips(message.uri):
            check_sips_request(flow)
        method = message.method
        if method != "OPTIONS" and method != "REGISTER":
            raise _refusal_of(method)
        if message.has("Require"):
            check_required(message, SUPPORTED)
        if message.body:
            check_body(message)
        if method == "OPTIONS":
            if self._guard is not None:
                agent = message.value("User-Agent") or ""
                if not self._guard.may_answer(reply_flow, agent, now):
                    return
            self._answers.send(message, reply_flow, 200, extra=_OPTIONS)
            self._answers.count("options_answered")
        else:
            self._register(message, flow, reply_flow, domain, now)

    def _register(
        self, message: Message, flow: Flow, reply_flow: Flow, domain: str, now: float
    ) -> None:
        who = self._challenger.identify(message, reply_flow, domain, False, now, flow)
        if who is None:
            return
        done = self._registrar.register(message, who, flow, now, now + self._process.offset)
        data = reply(message, done.status, done.reason, self._answers.tag(message), done.lines)
        if done.durable:
            self._held.append((reply_flow, data, message))
        else:
            self._out.append((reply_flow, data))
        if done.status < 300:
            self._mailroom.registered(who.aor, now)
        self._answers.count("registrations" if done.status < 300 else "registrations_refused")


def _refusal_of(method: str) -> RemoteProtocolError:
    """Why the server itself takes no such request (§8.2.1, §8.2.2.1)."""
    if method in OF_USERS:
        return RemoteProtocolError(404, NO_USER)
    if method in OF_DIALOGS:
        return RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    if method in METHODS:
        return RemoteProtocolError(405, "Method Not Allowed")
    return RemoteProtocolError(501, "Not Implemented")
