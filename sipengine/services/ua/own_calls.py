"""Calls whose destination is the telephone system itself."""

from __future__ import annotations

from sipengine.services.calls import Call
from sipengine.services.feature_codes import FeatureCode
from sipengine.services.media.crossing import Crossing
from sipengine.services.ports import Media
from sipengine.services.ua.agent import UserAgent
from sipengine.services.ua.by_gateway import ByGateway, tell_offer
from sipengine.services.ua.refusing import refusal
from sipengine.services.ua.service_call import ServiceCall
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
        leg = call.leg_started(feature.name, "", "", now)
        service = ServiceCall(call, leg, self._media, feature.program)
        try:
            session = self._agent.incoming(service, feature.code, message, flow, server, now)
        except RemoteProtocolError as error:
            tag = self._agent.names.tag()
            server.respond(error.status, refusal(message, error, tag), now)
            service.failed(error.status, error.reason, now)
            return
        crossing = self._crossing(message, flow)
        if crossing is not None and crossing.anchor is None:
            session.reject(503, now, "Service Unavailable: no media gateway answers")
        elif crossing is not None and session.offered is None:
            crossing.end(None)
            session.reject(488, now, "Not Acceptable Here: a browser must offer first")
        else:
            if crossing is not None and crossing.anchor is not None:
                session.by_gateway = ByGateway(session, crossing.anchors, crossing.anchor)
            tell_offer(session, session.offered, now)

    def _crossing(self, message: Message, flow: Flow) -> Crossing | None:
        """The way by a gateway, None for a phone that speaks RTP as our sounds do."""
        anchors = self._agent.anchors
        if anchors is None:
            return None
        crossing = anchors.crossing(message, flow, None)
        if crossing is None and "RTP/SAVP" in message.body:
            crossing = anchors.other_crossing(message, flow)
        return crossing
