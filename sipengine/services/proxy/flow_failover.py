"""A request other than INVITE to a phone with several flows: one after the other (RFC 5626 §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.services.proxy.forwarding import Outgoing
from sipengine.services.proxy.targets import Target
from sipengine.sip.flow import Flow
from sipengine.sip.timers import TIMER_B
from sipengine.sip.transaction.invite_client import ClientUser
from sipengine.sip.transaction.non_invite_client import NonInviteClient

if TYPE_CHECKING:
    from sipengine.services.proxy.non_invite_context import NonInviteContext
    from sipengine.services.proxy.proxy import Proxy


class FlowFailover:
    """Stands between the response context and the client transactions of one phone.

    Only a flow that says it has failed is left: who is silent until Timer F has used up the time
    of the sender's own transaction as well (RFC 4320 §4).
    """

    __slots__ = ("_context", "_outgoing", "_proxy", "_source", "_target")

    def __init__(
        self,
        context: NonInviteContext,
        proxy: Proxy,
        outgoing: Outgoing,
        target: Target,
        source: Flow | None,
    ) -> None:
        self._context = context
        self._proxy = proxy
        self._outgoing = outgoing
        self._target = target
        self._source = source

    def send(self, now: float) -> None:
        target = self._target
        if target.flow is not None:
            self.send_to(target.flow, self, TIMER_B, now)
        elif target.hop is not None:  # an edge with a name
            self._proxy.attempts(target.hop, self).start(self._context.call_id)

    def go_straight(self, now: float) -> bool:
        return False  # a Path that leads back here leads nowhere

    def send_to(self, flow: Flow, user: ClientUser, patience: float, now: float) -> None:
        branch, request = self._context.copy_for(
            self._proxy, self._outgoing, self._target, self._source, flow
        )
        NonInviteClient(self._proxy.layer, user, branch, request, flow, now, patience)

    def on_response(self, status: int, data: bytes, now: float) -> None:
        if status != 430:
            self._context.on_response(status, data, now)
        elif self._target.others:
            self._next(now)
        else:
            self._context.on_flows_failed(now)

    def on_timeout(self, now: float) -> None:
        self._context.on_timeout(now)

    def on_transport_error(self, now: float) -> None:
        if self._target.others:
            self._next(now)
        else:
            self._context.on_transport_error(now)

    def _next(self, now: float) -> None:
        self._target = self._target.next_flow()
        self.send(now)
