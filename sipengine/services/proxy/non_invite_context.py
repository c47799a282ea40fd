"""The response context of a request other than INVITE (RFC 3261 §16.7, RFC 4320 §4).

It counts answers instead of keeping branches: nothing is ever cancelled here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.services.call import Call
from sipengine.services.proxy.answerers import Answerers
from sipengine.services.proxy.best_response import BestResponse
from sipengine.services.proxy.breadth import breadth_line
from sipengine.services.proxy.flow_failover import FlowFailover
from sipengine.services.proxy.forwarding import Outgoing
from sipengine.services.proxy.large import LARGE, StreamFirst
from sipengine.services.proxy.session_timer import SessionAsk
from sipengine.services.proxy.targets import Target
from sipengine.services.replies import reply
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.next_hop import NextHop
from sipengine.sip.timers import TIMER_B
from sipengine.sip.transaction.invite_client import ClientUser
from sipengine.sip.transaction.non_invite_client import NonInviteClient
from sipengine.sip.transaction.non_invite_server import NonInviteServer

if TYPE_CHECKING:
    from sipengine.services.proxy.proxy import Proxy


class _Copy:
    """What goes to one target, whichever of its servers takes it; the rest is the context's."""

    __slots__ = ("_context", "_outgoing", "_proxy", "_source", "_target")

    def __init__(
        self, context: NonInviteContext, proxy: Proxy, outgoing: Outgoing, target: Target, source: Flow | None
    ) -> None:  # fmt: skip
        self._context = context
        self._proxy = proxy
        self._outgoing = outgoing
        self._target = target
        self._source = source

    def start(self, hop: NextHop) -> None:
        self._proxy.attempts(hop, self).start(self._context.call_id)

    def go_straight(self, now: float) -> bool:
        target = self._target.plain
        if target is None:
            return False
        self._target = target
        if target.flow is not None:
            self.send_to(target.flow, self, TIMER_B, now)
        elif target.hop is not None:
            self.start(target.hop)
        return True

    def send_to(self, flow: Flow, user: ClientUser, patience: float, now: float) -> None:
        proxy = self._proxy
        branch, request = self._context.copy_for(
            proxy, self._outgoing, self._target, self._source, flow
        )
        if len(request) > LARGE and not flow.reliable:
            stream = proxy.streams.beside(flow, self._target.uri, now)
            if stream is not None:
                user = StreamFirst(self, proxy.streams, flow, user, patience)
                flow = stream
                branch, request = self._context.copy_for(
                    proxy, self._outgoing, self._target, self._source, flow
                )
        NonInviteClient(proxy.layer, user, branch, request, flow, now, patience)

    def on_response(self, status: int, data: bytes, now: float) -> None:
        self._context.on_response(status, data, now)

    def on_timeout(self, now: float) -> None:
        self._context.on_timeout(now)

    def on_transport_error(self, now: float) -> None:
        self._context.on_transport_error(now)


class NonInviteContext:
    """One forwarded request. `call` is set for a BYE: its end is the end of the call."""

    __slots__ = (
        "_answerers",
        "_best",
        "_by_caller",
        "_call",
        "_ended_at",
        "_from",
        "_message",
        "_pending",
        "_server",
        "_session",
        "_tag",
    )

    def __init__(
        self, server: NonInviteServer, message: Message, tag: str, call: Call | None = None,
        by_caller: bool = False, now: float = 0.0, session: SessionAsk | None = None,
    ) -> None:  # fmt: skip
        """`by_caller` says who sends the BYE, `session` what an UPDATE asks for."""
        self._server = server
        self._message = message
        self._tag = tag
        self._call = call
        self._by_caller = by_caller
        self._ended_at = now
        self._pending = 0
        self._best: BestResponse | None = None
        self._session = session
        self._answerers: Answerers | None = None
        self._from: Flow | None = None  # where its answer comes from, if that is one known place

    def send(
        self,
        proxy: Proxy,
        outgoing: Outgoing,
        targets: list[Target],
        source: Flow | None,
        now: float,
    ) -> None:
        """Forward to all targets, with a Record-Route towards `source` if that is given."""
        self._pending = len(targets)
        self._answerers = proxy.answerers
        if len(targets) == 1 and not targets[0].others:
            self._from = targets[0].flow
        for target in targets:
            flow = target.flow
            if target.others:
                FlowFailover(self, proxy, outgoing, target, source).send(now)
            elif flow is not None:
                branch, request = self.copy_for(proxy, outgoing, target, source, flow)
                if len(request) > LARGE and not flow.reliable:
                    copy = _Copy(self, proxy, outgoing, target, source)
                    copy.send_to(flow, self, TIMER_B, now)
                else:
                    NonInviteClient(proxy.layer, self, branch, request, flow, now)
            elif target.hop is not None:
                _Copy(self, proxy, outgoing, target, source).start(target.hop)

    def copy_for(
        self, proxy: Proxy, outgoing: Outgoing, target: Target, source: Flow | None, flow: Flow
    ) -> tuple[bytes, bytes]:
        """(branch parameter, request) to send to a target by `flow`."""
        message = self._message
        note = "" if source is None else proxy.record_route.lines(
            message.call_id, message.from_tag, source, flow, "", target.uri
        )  # fmt: skip
        if target.breadth:
            note = breadth_line(target) + note
        return outgoing.to(target.uri, flow, note + target.routes)

    @property
    def call_id(self) -> str:
        return self._message.call_id

    def on_response(self, status: int, data: bytes, now: float) -> None:
        if status < 200:
            return  # RFC 4320 §4.1: no provisional but 100, which is ours to send
        if status == 408:  # RFC 4320 §4.2: no better than silence, and nothing to pass on
            self.on_timeout(now)
            return
        if self._answerers is not None:
            data = self._answerers.screened(data, self._from, self._server.flow)
        self._pending -= 1
        if status < 300 or (
            self._pending == 0 and self._best is None and status not in (401, 407, 503)
        ):
            if self._session is not None and status < 300:
                data = self._session.answered(data, now)
            self._server.respond(status, data, now)
            self._close(status)
            return
        self._offer(status, data, now)

    def on_timeout(self, now: float) -> None:
        self._pending -= 1
        if self._pending == 0:
            self._finish(now)  # RFC 4320 §4.2: and no 408
            self._close(408)

    def on_flows_failed(self, now: float) -> None:
        """No flow of a phone leads to it any more."""
        self._pending -= 1
        self._offer(480, b"", now)

    def on_transport_error(self, now: float) -> None:
        self._pending -= 1
        self._offer(503, b"", now)

    def _offer(self, status: int, data: bytes, now: float) -> None:
        if self._best is None:
            self._best = BestResponse()
        self._best.offer(status, data)
        if self._pending == 0:
            self._close(self._finish(now))

    def _finish(self, now: float) -> int:
        if self._best is None:
            return 0
        status, data = self._best.final()
        self._server.respond(status, data or reply(self._message, status, to_tag=self._tag), now)
        return status

    def _close(self, status: int) -> None:
        """The BYE has had its answer: whoever sent it has left the call, whatever it says (§15.1.1),
        unless it is a challenge, to which he answers by another BYE."""
        call = self._call
        if call is not None and status not in (401, 407):
            self._call = None
            call.dialog_left(self._message.to_tag, self._by_caller, self._ended_at)
