"""Who sent a request, and the challenge to whoever cannot show it (RFC 3261 §22.2, §22.3)."""

from __future__ import annotations

from sipengine.api import ConfigSnapshot, Extension
from sipengine.services.authentication import Authenticator, Refusal
from sipengine.services.guard.guard import Guard
from sipengine.services.own_answers import OwnAnswers
from sipengine.services.refused_calls import RefusedCalls
from sipengine.services.refused_words import WAITS
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message


class Challenger:
    """Finds the sender, or answers 401 (407 as a proxy). `snapshot` is swapped by the core."""

    def __init__(
        self,
        authenticator: Authenticator,
        answers: OwnAnswers,
        guard: Guard | None = None,
        refused_calls: RefusedCalls | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._guard = guard
        self._answers = answers
        self._refused_calls = refused_calls
        self.snapshot = ConfigSnapshot()

    def set_config(self, snapshot: ConfigSnapshot, now: float) -> None:
        self.snapshot = snapshot
        if self._authenticator.pages is not None:
            self._authenticator.pages.end(snapshot.ended_pages, now)

    def identify(
        self,
        message: Message,
        reply_flow: Flow,
        domain: str,
        proxy: bool,
        now: float,
        seen_on: Flow | None,
    ) -> Extension | None:
        """The extension that sent the request; None if it was challenged instead.

        The answer is the same whether the user or the password is wrong. `seen_on` is the flow
        of a request that no transaction protects from its own retransmissions. Whom the guard
        wants to hear nothing is not answered.
        """
        who = self._authenticator.check(
            message, proxy, self.snapshot, domain, now, seen_on, reply_flow
        )
        if isinstance(who, Extension):
            return who
        if who is Refusal.MALFORMED:
            header = "Proxy-Authorization" if proxy else "Authorization"
            raise RemoteProtocolError(400, f"Bad Request: broken credentials in {header} header")
        if who is Refusal.WAIT:
            raise RemoteProtocolError(503, WAITS)
        if who is Refusal.WRONG or who is Refusal.SILENT:
            self._answers.count("credentials_wrong")
            if self._refused_calls is not None and message.method == "INVITE":
                self._refused_calls.wrong_password(message, reply_flow, now)
        if who is Refusal.EXPIRED:
            self._answers.count("credentials_expired")
        agent = message.value("User-Agent") or ""
        if who is Refusal.SILENT:
            return None
        if (
            who is not Refusal.WRONG  # that has been counted
            and self._guard is not None
            and not self._guard.may_answer(reply_flow, agent, now)
        ):
            return None
        stale = who is Refusal.STALE
        lines = self._authenticator.challenge(domain, proxy, stale, now, agent, reply_flow)
        self._answers.send(message, reply_flow, 407 if proxy else 401, extra=lines)
        return None
