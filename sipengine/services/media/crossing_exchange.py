"""A request other than INVITE whose descriptions go by way of a media gateway: UPDATE (RFC 3311 §5) and
PRACK (RFC 3262 §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.services.media.bodies import sdp_of, with_sdp
from sipengine.services.media.crossing import Crossing
from sipengine.services.ports import MediaAnswer
from sipengine.services.proxy.forwarding import Outgoing
from sipengine.services.proxy.non_invite_context import NonInviteContext
from sipengine.services.proxy.session_timer import SessionAsk
from sipengine.services.proxy.targets import Target
from sipengine.services.replies import reply
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.transaction.non_invite_server import NonInviteServer

if TYPE_CHECKING:
    from sipengine.services.proxy.proxy import Proxy


class CrossingExchange(NonInviteContext):
    """The request waits for the gateway, then its 2xx if that has a description, too."""

    __slots__ = ("_crossing", "_held", "_sdp", "_target", "_way")

    def __init__(
        self,
        server: NonInviteServer,
        message: Message,
        tag: str,
        crossing: Crossing,
        session: SessionAsk | None,
    ) -> None:
        super().__init__(server, message, tag, session=session)
        self._crossing = crossing
        self._held: tuple[int, bytes] | None = None
        self._way: tuple[Proxy, Outgoing] | None = None
        self._target: Target | None = None
        self._sdp = b""

    def begin(self, proxy: Proxy, outgoing: Outgoing, target: Target, now: float) -> None:
        """Ask for the request's description; without one the request goes as it is."""
        crossing, message = self._crossing, self._message
        self._way = proxy, outgoing
        self._target = target
        sdp = sdp_of(message.encode())
        anchor = crossing.anchor
        if not sdp or anchor is None:
            self._go_on(b"", now)
        elif message.method == "PRACK" and anchor.awaiting:
            anchor.awaiting = False
            tags = message.to_tag, message.from_tag
            crossing.answer(True, tags, sdp, crossing.host, self)
        else:
            crossing.offer(True, message.from_tag, sdp, crossing.host, self)

    def _go_on(self, sdp: bytes, now: float) -> None:
        self._sdp = sdp
        way, self._way = self._way, None
        if way is not None and self._target is not None:
            self.send(way[0], way[1], [self._target], None, now)

    def copy_for(
        self, proxy: Proxy, outgoing: Outgoing, target: Target, source: Flow | None, flow: Flow
    ) -> tuple[bytes, bytes]:
        branch, request = super().copy_for(proxy, outgoing, target, source, flow)
        return branch, with_sdp(request, self._sdp) if self._sdp else request

    def on_media(self, answer: MediaAnswer, now: float) -> None:
        anchor = self._crossing.anchor
        held = self._held
        if held is not None:
            self._held = None
            status, data = held
            if answer.ok and anchor is not None:
                self._crossing.anchors.agreed(anchor, now)
            super().on_response(status, with_sdp(data, answer.sdp.encode("latin-1")), now)
        elif answer.ok:
            if anchor is not None:
                anchor.instance = answer.instance  # another, if that which had the call is lost
            self._go_on(answer.sdp.encode("latin-1"), now)
        else:
            status = answer.status
            self._server.respond(status, reply(self._message, status, to_tag=self._tag), now)

    def on_response(self, status: int, data: bytes, now: float) -> None:
        sdp = sdp_of(data) if 200 <= status < 300 else b""
        target = self._target
        if not sdp or target is None:
            super().on_response(status, data, now)
            return
        self._held = status, data
        message = self._message
        tags = message.from_tag, message.to_tag
        host = "" if target.flow is None else target.flow.remote[0]
        self._crossing.answer(False, tags, sdp, host, self)
