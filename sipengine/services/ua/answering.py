"""An INVITE of the peer and our answers to it (RFC 3261 §13.3, §14.2): a session's server half."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.services.ua.alarm import Alarm
from sipengine.services.ua.composing import CAPABILITIES, Headers, answer, options
from sipengine.services.ua.reliable import ReliableSender
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.timers import T1, T2, TIMER_B, next_interval
from sipengine.sip.transaction.invite_server import InviteServer

if TYPE_CHECKING:
    from sipengine.services.ua.session import Session


class Answering:
    """The user of one INVITE server transaction."""

    __slots__ = (
        "_alarm", "_interval", "_ok", "_postponed", "_rel", "_server", "_session", "_until", "final",
        "initial", "request", "status",
    )  # fmt: skip

    def __init__(
        self, session: Session, request: Message, server: InviteServer, initial: bool
    ) -> None:
        self._session = session
        self.request = request
        self._server = server
        self.initial = initial
        self.final = False  # a final answer was given
        self.status = 0
        self._ok = b""  # the 2xx while it waits for its ACK
        self._interval = T1
        self._until = 0.0
        layer = session.agent.layer
        self._alarm = Alarm(layer.timers, self._again)
        self._rel: ReliableSender | None = None
        self._postponed: tuple[str, Headers] | None = None
        if "100rel" in options(request, "Require") or "100rel" in options(request, "Supported"):
            first = 1 + session.agent.names.session_number() % 2**30
            self._rel = ReliableSender(layer, server, first, self._unacknowledged)
        server.user = self

    # -- provisional

    @property
    def must_be_reliable(self) -> bool:
        return "100rel" in options(self.request, "Require")

    @property
    def can_be_reliable(self) -> bool:
        return self._rel is not None

    def progress(self, status: int, body: str, now: float) -> None:
        """101-199; reliably if the caller requires it, or if it can and there is a body (RFC 3262 §3)."""
        if self.final:
            return
        headers = self._contact()
        rel = self._rel
        if rel is None or not (body or self.must_be_reliable):
            self._server.respond(status, self._text(status, headers, body), now)
        elif not rel.full:
            headers += [("Require", "100rel"), ("RSeq", str(rel.next_rseq()))]
            rel.send(status, self._text(status, headers, body), now)

    def pracked(self, rack: str) -> None:
        """Raises `RemoteProtocolError` 481 for a PRACK of nothing."""
        rel = self._rel
        if rel is None:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist: nothing was reliable")
        rel.acknowledge(rack, self.request.cseq)

    def go_on(self, now: float) -> None:
        """The PRACK is answered: what waited for it goes out."""
        rel = self._rel
        if rel is None or self._session.ended:
            return
        rel.go_on(now)
        if self._postponed is not None and not rel.open:
            body, headers = self._postponed
            self._postponed = None
            self._send_ok(body, headers, now)

    def _unacknowledged(self, now: float) -> None:
        """RFC 3262 §3: no PRACK came, so the INVITE is refused."""
        self.refuse(504, [], "Server Time-out: no PRACK", now)
        self._session.finish_unanswered(504, "the caller's phone did not confirm the ringing", now)

    # -- final

    def accept(self, body: str, headers: Headers, now: float) -> None:
        """200; after the PRACK, if a reliable answer with a description waits for it (RFC 3262 §3)."""
        if self.final:
            return
        self.final = True
        if self._rel is not None and self._rel.open:
            self._postponed = body, headers
        else:
            self._send_ok(body, headers, now)

    def _send_ok(self, body: str, headers: Headers, now: float) -> None:
        if self._rel is not None:
            self._rel.stop()
        self.status = 200
        self._ok = self._text(200, [*self._contact(), *CAPABILITIES, *headers], body)
        self._server.respond(200, self._ok, now)
        self._server.user = None
        self._interval = T1
        self._until = now + TIMER_B
        self._alarm.start(self._interval, now)

    def refuse(self, status: int, headers: Headers, reason: str, now: float) -> None:
        """300-699, also instead of a 200 that still waits for a PRACK; nothing if a final answer is out."""
        if self.final and self._postponed is None:
            return
        self._postponed = None
        self.final = True
        self.status = status
        if self._rel is not None:
            self._rel.stop()
        data = answer(self.request, status, headers, to_tag=self._session.local_tag, reason=reason)
        self._server.respond(status, data, now)
        self._server.user = None

    def drop(self) -> None:
        """The session is over: no timer may come up any more."""
        if self._rel is not None:
            self._rel.stop()
        self._ok = b""
        self._alarm.stop()

    @property
    def unacknowledged(self) -> bool:
        """Whether a 2xx waits for its ACK, or for a PRACK before it can go out."""
        return bool(self._ok) or self._postponed is not None

    def acknowledged(self) -> None:
        self._ok = b""
        self._alarm.stop()

    def _again(self, now: float) -> None:
        """§13.3.1.4: the 2xx is sent again until its ACK comes, over any transport."""
        if now >= self._until:
            self.acknowledged()
            self._session.end(now, "its phone did not confirm that it was answered")
            return
        self._server.respond(200, self._ok, now)
        self._interval = min(self._interval * 2, T2)
        self._alarm.start(next_interval(self._interval, self._until - now), now)

    def on_cancel(self, reason: str, now: float) -> None:
        """The caller gave up (§9.2). Without effect once there is a final answer."""
        if self.final and self._postponed is None:
            return
        self.refuse(487, [], "", now)
        if self.initial:
            self._session.finish_unanswered(487, "", now)
        else:
            self._session.offer_withdrawn(now)

    # -- text

    def _contact(self) -> Headers:
        return [("Contact", self._session.contact)]

    def _text(self, status: int, headers: Headers, body: str) -> bytes:
        return answer(self.request, status, headers, to_tag=self._session.local_tag, body=body)
