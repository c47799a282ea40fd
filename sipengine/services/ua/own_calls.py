"""Calls whose destination is the telephone system itself."""

from __future__ import annotations

from sipengine.api import Extension
from sipengine.services.call import Call
from sipengine.services.feature_codes import FeatureCode
from sipengine.services.media.crossing import Crossing
from sipengine.services.ports import Media
from sipengine.services.ua.agent import UserAgent
from sipengine.services.ua.by_gateway import ByGateway, tell_offer
from sipengine.services.ua.refusing import refusal
from sipengine.services.ua.replacing import replaced_by, replaces_of
from sipengine.services.ua.service_call import ServiceCall
from sipengine.services.ua.session import Session
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.transaction.invite_server import InviteServer


class OwnCalls:
    """Answers INVITEs that routing sent to a feature code.

    A browser, or a phone that insists on SRTP, is spoken with by a media gateway.
    """

    def __init__(self, agent: UserAgent, media: Media) -> None:
        self._agent = agent
        self._media = media

    def receive(
        self,
        message: Message,
        flow: Flow,
        server: InviteServer,
        call: Call,
        feature: FeatureCode,
        now: float,
    ) -> None:
        """Answer the call, or refuse it with what its phone lacks."""
        self._agent.layer.answers_itself(message, server.key)
        leg = call.leg_started(feature.name, "", "", now)
        service = ServiceCall(call, leg, self._media, feature.program)
        try:
            session = self._agent.incoming(service, feature.code, message, flow, server, now)
        except RemoteProtocolError as error:
            tag = self._agent.names.tag()
            server.respond(error.status, refusal(message, error, tag), now)
            service.failed(error.status, error.reason, now)
            return
        if self._reached(session, message, flow, now):
            tell_offer(session, session.offered, now)

    def has(self, message: Message) -> bool:
        """Whether a Replaces header names a dialog of ours, even of an earlier process.

        Raises `RemoteProtocolError` 400 for a broken one."""
        return self._agent.owns(replaces_of(message).to_tag)

    def replace(
        self, message: Message, flow: Flow, server: InviteServer, who: Extension, now: float
    ) -> None:
        """`who` takes the place of the peer of a session of ours (RFC 3891)."""
        agent = self._agent
        agent.layer.answers_itself(message, server.key)
        try:
            old = replaced_by(agent, replaces_of(message))
            new = agent.incoming(old.user, old.name, message, flow, server, now)
        except RemoteProtocolError as error:
            server.respond(error.status, refusal(message, error, agent.names.tag()), now)
            return
        new.peer_name = who.aor
        if self._reached(new, message, flow, now):
            old.user.on_replaced(old, new, now)

    def _reached(self, session: Session, message: Message, flow: Flow, now: float) -> bool:
        """Find the way of its media; False if there is none and it is refused."""
        crossing = self._crossing(message, flow)
        if crossing is None:
            return True
        if crossing.anchor is None:
            session.reject(503, now, "Service Unavailable: no media gateway answers")
        elif session.offered is None:
            crossing.end(None)
            session.reject(488, now, "Not Acceptable Here: a browser must offer first")
        else:
            session.by_gateway = ByGateway(session, crossing.anchors, crossing.anchor)
        return not session.ended

    def _crossing(self, message: Message, flow: Flow) -> Crossing | None:
        """The way by a gateway, None for a phone that speaks RTP as our sounds do."""
        anchors = self._agent.anchors
        if anchors is None:
            return None
        crossing = anchors.crossing(message, flow, None)
        if crossing is None and "RTP/SAVP" in message.body:
            crossing = anchors.other_crossing(message, flow)
        return crossing
