"""Calls whose destination is the telephone system itself."""

from __future__ import annotations

from sipengine.services.calls import Call
from sipengine.services.feature_codes import FeatureCode
from sipengine.services.ports import Media
from sipengine.services.ua.agent import UserAgent, refusal, refusal_headers
from sipengine.services.ua.service_call import ServiceCall
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.transaction.invite_server import InviteServer


class OwnCalls:
    """Answers INVITEs that routing sent to a feature code."""

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
        service = ServiceCall(call, leg)
        session = None
        try:
            session = self._agent.incoming(service, feature.code, message, flow, server, now)
            host = self._agent.place.host_for(flow)
            sound = self._media.open(feature.program, host, flow.remote[0], service.stopped)
            if sound is None:
                raise RemoteProtocolError(503, "Service Unavailable: no RTP port is free")
            service.answer(session, sound, now)
        except RemoteProtocolError as error:
            if session is None:
                tag = self._agent.names.tag()
                server.respond(error.status, refusal(message, error, tag), now)
                service.failed(error.status, error.reason, now)
            else:
                headers = refusal_headers(message, error.status)
                session.reject(error.status, now, error.reason, headers)
