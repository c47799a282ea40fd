"""The user agent: all sessions, and which of them a message belongs to (RFC 3261 §12.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.ua.alarm import Alarm
from sipengine.services.ua.answering import Answering
from sipengine.services.ua.composing import (
    EXTENSIONS,
    check_accept,
    description_in,
    options,
    with_via,
)
from sipengine.services.ua.credentials import Credentials
from sipengine.services.ua.names import Names
from sipengine.services.ua.place import Place
from sipengine.services.ua.receiving import receive_ack, receive_invite, receive_other
from sipengine.services.ua.refusing import refusal
from sipengine.services.ua.session import Session
from sipengine.services.ua.session_timer import answered
from sipengine.services.ua.session_user import SessionUser
from sipengine.sip.dialog import dialog_of_request
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.sdp.description import parse_description
from sipengine.sip.timers import TIMER_B
from sipengine.sip.transaction.invite_client import ClientUser, InviteClient
from sipengine.sip.transaction.invite_server import InviteServer
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.transaction.non_invite_server import NonInviteServer
from sipengine.sip.transaction.own_request import OwnInvite, OwnRequest

if TYPE_CHECKING:
    from sipengine.services.media.anchors import Anchors

MAX_SESSIONS: Final = 2000
"""Sessions at once, about 10 kB each; more are refused with 503."""


class UserAgent:
    """`interval` is the session interval that we ask for, in seconds (RFC 4028); `anchors` have media
    gateways speak with peers that speak no RTP.
    """

    def __init__(
        self,
        layer: TransactionLayer,
        place: Place,
        names: Names,
        interval: int = 1800,
        *,
        anchors: Anchors | None = None,
    ) -> None:
        self.layer = layer
        self.place = place
        self.names = names
        self.interval = interval
        self.anchors = anchors
        self.sessions: dict[str, Session] = {}  # by our tag
        self._mark = names.mark

    # ------------------------------------------------------------------ sessions

    @property
    def count(self) -> int:
        """Sessions, those that ended in the last half minute included."""
        return len(self.sessions)

    @property
    def room(self) -> int:
        """How many more sessions there may be."""
        return MAX_SESSIONS - len(self.sessions)

    def begin(
        self,
        user: SessionUser,
        name: str,
        call_id: str = "",
        credentials: Credentials | None = None,
    ) -> Session:
        """A session that we are going to `invite` somebody to.

        Raises `RemoteProtocolError` 503 if there are too many.
        """
        if self.room <= 0:
            raise RemoteProtocolError(503, "Service Unavailable: too many sessions")
        session = Session(self, user, call_id or self.names.call_id(), name, credentials)
        self.sessions[session.local_tag] = session
        return session

    def incoming(
        self,
        user: SessionUser,
        name: str,
        message: Message,
        flow: Flow,
        server: InviteServer,
        now: float,
    ) -> Session:
        """The session that an INVITE outside of any dialog asks for; `session.offered` may be None.

        Raises `RemoteProtocolError` for what `refuse` then answers.
        """
        needed = options(message, "Require")
        if not EXTENSIONS.issuperset(needed):
            raise RemoteProtocolError(420, "Bad Extension")
        if message.has("Accept"):
            check_accept(message)
        answered(message, self.interval)  # 422
        text = description_in(message)
        offer = parse_description(text) if text else None
        session = self.begin(user, name, message.call_id)
        try:
            session.dialog = dialog_of_request(message, session.local_tag)
        except RemoteProtocolError:
            del self.sessions[session.local_tag]
            raise
        session.caller = message
        session.heard = flow
        session.tags.add(message.from_tag)
        session.peer.calls(message, flow)
        session.note_peer(message)
        if offer is not None:
            session.negotiation.receive_offer(offer)
        session.answering = Answering(session, message, server, initial=True)
        return session

    def leave(self, session: Session, now: float) -> None:
        """A session ended: it is kept for the messages that are still on their way."""
        tag = session.local_tag

        def forget(now: float) -> None:
            self.sessions.pop(tag, None)

        Alarm(self.layer.timers, forget).start(TIMER_B, now)

    # ------------------------------------------------------------------ requests that come

    def owns(self, tag: str) -> bool:
        """Whether a To tag is one of ours, even of an earlier process."""
        return tag.startswith(self._mark)

    def receive(self, message: Message, flow: Flow, reply_flow: Flow, key: str, now: float) -> None:
        """Any request with a To tag of ours, but ACK and CANCEL."""
        session = self.sessions.get(message.to_tag)
        if message.method == "INVITE":
            invite = InviteServer(self.layer, key, reply_flow, message.call_id, now)
            try:
                receive_invite(self._known(session, message), message, flow, invite, now)
            except RemoteProtocolError as error:
                invite.respond(error.status, refusal(message, error), now)
            return
        other = NonInviteServer(self.layer, key, reply_flow, now)
        try:
            receive_other(self._known(session, message), message, flow, other, now)
        except RemoteProtocolError as error:
            other.respond(error.status, refusal(message, error), now)

    def receive_ack(self, message: Message, now: float) -> None:
        session = self.sessions.get(message.to_tag)
        if session is not None and message.from_tag in session.tags:
            receive_ack(session, message, now)

    def _known(self, session: Session | None, message: Message) -> Session:
        """The session of a request. Raises 481, or 420."""
        if session is None or session.dialog is None or message.from_tag not in session.tags:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
        if session.call_id != message.call_id:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
        if message.has("Require") and not EXTENSIONS.issuperset(options(message, "Require")):
            raise RemoteProtocolError(420, "Bad Extension")
        return session

    # ------------------------------------------------------------------ requests that go

    def send_invite(
        self, message: Message, heard: Flow | None, user: ClientUser, now: float
    ) -> InviteClient | None:
        """None if there is no way to its target."""
        sent = self._on_the_way(message, heard)
        if sent is None:
            return None
        return OwnInvite(self.layer, user, sent[0], sent[1], sent[2], now)

    def send(self, message: Message, heard: Flow | None, user: ClientUser, now: float) -> None:
        """Any other request. No way to its target is a transport error (§8.1.3.1)."""
        sent = self._on_the_way(message, heard)
        if sent is None:
            user.on_transport_error(now)
        else:
            OwnRequest(self.layer, user, sent[0], sent[1], sent[2], now)

    def send_ack(self, message: Message, heard: Flow | None) -> tuple[Flow, bytes] | None:
        """The ACK of a 2xx (§13.2.2.4); returns what was sent, None if there was no way."""
        sent = self._on_the_way(message, heard)
        if sent is None:
            return None
        self.layer.out.append((sent[2], sent[1]))
        return sent[2], sent[1]

    def _on_the_way(self, message: Message, heard: Flow | None) -> tuple[bytes, bytes, Flow] | None:
        try:
            flow = self.place.flow_for(message, heard)
        except RemoteProtocolError:
            return None
        branch = self.names.branch()
        return branch.encode(), with_via(message, self.place.via(flow, branch)), flow
