"""One branch of a forwarded INVITE, and how it is cancelled (RFC 3261 §9.1, §16.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.call import Call
from sipengine.services.leg import Leg
from sipengine.services.proxy.attempts import Attempts
from sipengine.services.proxy.forwarding import cancel_of
from sipengine.services.proxy.large import LARGE, StreamFirst
from sipengine.services.proxy.targets import Target
from sipengine.sip.flow import Flow
from sipengine.sip.timers import TIMER_B
from sipengine.sip.transaction.invite_client import CALLING, ClientUser, InviteClient
from sipengine.sip.transaction.non_invite_client import NonInviteClient

if TYPE_CHECKING:
    from sipengine.services.proxy.invite_context import InviteContext


FLOW_PATIENCE: Final = 4.0
"""How long a phone that has other flows may be silent on one: four transmissions over UDP. Phones
answer 100 or 180 within some tenths of a second, callers wait some 20 s in all."""


class Nobody:
    """The user of our CANCELs: whatever comes back, the INVITE's own answer decides (§9.1)."""

    def on_response(self, status: int, data: bytes, now: float) -> None: ...

    def on_timeout(self, now: float) -> None: ...

    def on_transport_error(self, now: float) -> None: ...


NOBODY: Final = Nobody()


class Branch:
    """One branch of an INVITE; the user of its client transaction."""

    __slots__ = (
        "_attempts",
        "_context",
        "cancel_reason",
        "cancel_wanted",
        "client",
        "due",
        "flow",
        "given_up",
        "hung_up",
        "leg",
        "pending",
        "target",
    )

    def __init__(self, context: InviteContext, target: Target, leg: Leg | None) -> None:
        self._context = context
        self.target = target
        self.leg = leg
        self.client: InviteClient | None = None
        self.pending = True  # no final answer yet
        self.given_up = False  # its stage is over: only a 2xx still counts
        self.hung_up = False  # its 2xx came too late and was ended by a BYE of ours
        self.cancel_wanted = False
        self.cancel_reason = ""
        self.due = 0.0
        self.flow = target.flow
        self._attempts: Attempts | None = None

    def start(self, now: float) -> None:
        """Send the INVITE, once it is known to which server."""
        target = self.target
        if target.flow is not None:
            self.send_to(target.flow, self, TIMER_B, now)
        elif target.hop is not None:
            self._attempts = self._context.proxy.attempts(target.hop, self)
            self._attempts.start(self._context.call_id)

    def go_straight(self, now: float) -> bool:
        if self.target.plain is None:
            return False
        self.target = self.target.plain
        self._attempts = None
        self.start(now)
        return True

    def send_to(self, flow: Flow, user: ClientUser, patience: float, now: float) -> None:
        context = self._context
        if self.cancel_wanted:  # it was given up while another way was tried
            user.on_transport_error(now)
            return
        self.flow = flow
        name, request = self.copy(flow)
        if len(request) > LARGE and not flow.reliable:
            streams = context.proxy.streams
            stream = streams.beside(flow, self.target.uri, now)
            if stream is not None:
                user = StreamFirst(self, streams, flow, user, patience)
                self.flow = flow = stream
                name, request = self.copy(flow)
        self.client = InviteClient(context.proxy.layer, user, name, request, flow, now, patience)

    def copy(self, flow: Flow) -> tuple[bytes, bytes]:
        """(branch parameter, INVITE) to send by `flow`."""
        return self._context.copy_for(self.target, flow)

    @property
    def why(self) -> str:
        """A clause for a next hop none of whose servers could be reached, else ""."""
        return "" if self._attempts is None else self._attempts.why

    def on_response(self, status: int, data: bytes, now: float) -> None:
        context = self._context
        answerers = context.proxy.answerers
        if answerers is not None and status > 100:
            name = self.target.name if context.call is not None else ""
            data = answerers.named(status, data, name, self.flow, context.server.flow)
        if status < 200:
            if self.cancel_wanted:
                self._send_cancel(now)
            elif status > 100:
                context.provisional(self, status, data, now)
        elif status < 300:
            self.client = None
            context.success(self, data, now)
        else:
            self._failed(status, data, now)

    @property
    def crosses(self) -> bool:
        """Whether a gateway makes its media another kind (services/media/crossing_branch.py)."""
        return False

    def answered(self, call: Call, success: bytes, now: float) -> None:
        """Its 2xx, which the caller has got, made `call`."""

    def on_timeout(self, now: float) -> None:
        self._failed(408, b"", now)

    def on_transport_error(self, now: float) -> None:
        self._failed(503, b"", now)

    def _failed(self, status: int, data: bytes, now: float) -> None:
        if self.pending:
            self.pending = False
            self.client = None
            self._context.failure(self, status, data, now)

    @property
    def unheard(self) -> bool:
        """Whether its phone has not said a word yet, and nobody has given it up."""
        client = self.client
        return (
            self.pending
            and not self.given_up
            and not self.cancel_wanted
            and client is not None
            and client.state == CALLING
        )

    def watch_flow(self, now: float) -> None:
        """Go on to the phone's next flow if nothing is heard on this one."""
        self._context.proxy.layer.timers.start(FLOW_PATIENCE, now, self)

    def follow(self, target: Target, now: float) -> None:
        """The phone has moved: go after it."""
        self._context.move(self, target, now)

    def cancel(self, reason: str, now: float) -> None:
        """End this branch (§16.10): at once if it has answered provisionally, else when it does (§9.1)."""
        client = self.client
        if not self.pending or self.cancel_wanted:
            return
        self.cancel_wanted = True
        self.cancel_reason = reason
        if self._attempts is not None:
            self._attempts.stop()
        if client is None:  # nothing was sent yet, and nothing will be
            self._context.proxy.layer.timers.start(0.0, now, self)
        elif client.state != CALLING:
            self._send_cancel(now)

    def _send_cancel(self, now: float) -> None:
        client = self.client
        if client is None or client.cancelling or not client.request:
            return
        client.cancelling = True
        layer = self._context.proxy.layer
        cancel = cancel_of(client.request, self.cancel_reason)
        NonInviteClient(layer, NOBODY, client.branch + b"|CANCEL", cancel, client.flow, now)
        layer.timers.start(TIMER_B, now, self)

    def on_timer(self, now: float) -> None:
        """64*T1 after the CANCEL and still no final answer: the branch is considered cancelled (§9.1).

        One that was cancelled while its server was looked for is so at once. Before any CANCEL: the
        flow has had its time.
        """
        if not self.pending:
            return
        if not self.cancel_wanted:
            if self.unheard and self.target.others:
                self._context.move(self, self.target.next_flow(), now)
            return
        if self.client is None:
            self._failed(487, b"", now)
        else:
            self.client.abandon()
            self.on_timeout(now)
