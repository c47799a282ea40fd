"""One request of ours other than INVITE, within a dialog, and its answer (RFC 3261 §12.2.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sipengine.services.ua.composing import SDP, Headers, parse_response
from sipengine.sip.message import Message

if TYPE_CHECKING:
    from sipengine.services.ua.session import Session

Done = Callable[[int, Message | None, float], None]
"""(status, response or None if none came, now). No answer counts as 408, no way as 503 (§8.1.3.1)."""

GONE: Final = frozenset({404, 408, 410, 416, 481, 482, 483, 484, 485, 502, 604})
"""Answers by which a dialog is over, not only the request (RFC 3261 §12.2.1.2, RFC 5057 §5.1)."""


def is_gone(status: int, response: Message | None) -> bool:
    """Whether a failed request of ours shows that the peer is there no more. A 503 that somebody sent does
    not: it is asked again later."""
    return status in GONE or (response is None and status == 503)


class Exchange:
    """The user of one non-INVITE client transaction; answers one challenge."""

    __slots__ = ("_body", "_content_type", "_done", "_headers", "_method", "_proven", "_session")

    def __init__(
        self,
        session: Session,
        method: str,
        done: Done,
        headers: Headers,
        body: str = "",
        content_type: str = SDP,
    ) -> None:
        self._session = session
        self._method = method
        self._done = done
        self._headers = headers
        self._body = body
        self._content_type = content_type
        self._proven = False

    def send(self, now: float) -> None:
        session = self._session
        message = session.compose(self._method, self._headers, self._body, self._content_type)
        session.agent.send(message, session.heard, self, now)

    def on_response(self, status: int, data: bytes, now: float) -> None:
        if status < 200:
            return
        response = parse_response(data)
        over = self._session.ended and self._method != "BYE"
        if status in (401, 407) and response is not None and not (self._proven or over):
            proof = self._session.proof(response, self._method)
            if proof is not None:
                self._proven = True
                self._headers = [*self._headers, proof]
                self.send(now)
                return
        self._done(status, response, now)

    def on_timeout(self, now: float) -> None:
        self._done(408, None, now)

    def on_transport_error(self, now: float) -> None:
        self._done(503, None, now)
