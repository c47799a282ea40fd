"""How an INVITE of ours goes out and is taken back (RFC 3261 §9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sipengine.services.proxy.branch import NOBODY
from sipengine.services.proxy.forwarding import cancel_of
from sipengine.services.ua.alarm import Alarm
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.timers import TIMER_B
from sipengine.sip.transaction.invite_client import CALLING, ClientUser, InviteClient
from sipengine.sip.transaction.non_invite_client import NonInviteClient

if TYPE_CHECKING:
    from sipengine.services.media.anchors import Anchor
    from sipengine.services.ua.agent import UserAgent


class Carrier(Protocol):
    def send(self, message: Message, user: ClientUser, now: float) -> None:
        """Send an INVITE; may be used again for the same one with credentials."""
        ...

    def cancel(self, reason: str, now: float) -> None:
        """Take it back; a final answer still comes. `reason` is a Reason header line or ""."""
        ...

    def provisional(self, now: float) -> None:
        """It was answered provisionally: a CANCEL may go out."""
        ...

    @property
    def flow(self) -> Flow | None:
        """The flow to the peer that answered, if it is known."""
        ...

    @property
    def anchor(self) -> Anchor | None:
        """The gateway's part in the call that was answered, if one carries its media."""
        ...

    @property
    def knows_early_peers(self) -> bool:
        """Whether a request reaches who has answered provisionally only: a PRACK must."""
        ...


class DirectCarrier:
    """An INVITE straight to its target: by `flow`, or to where its Request-URI points."""

    __slots__ = ("_agent", "_alarm", "_client", "_reason", "_user", "_wanted", "flow")

    def __init__(self, agent: UserAgent, flow: Flow | None) -> None:
        self._agent = agent
        self.flow = flow
        self._client: InviteClient | None = None
        self._user: ClientUser | None = None
        self._wanted = False
        self._reason = ""
        self._alarm = Alarm(agent.layer.timers, self._no_answer)

    @property
    def anchor(self) -> Anchor | None:
        return None

    @property
    def knows_early_peers(self) -> bool:
        return True

    def send(self, message: Message, user: ClientUser, now: float) -> None:
        self._user = user
        self._client = client = self._agent.send_invite(message, self.flow, user, now)
        if client is None:
            user.on_transport_error(now)
        else:
            self.flow = client.flow

    def cancel(self, reason: str, now: float) -> None:
        client = self._client
        if client is None or client.cancelling or not client.request:
            return
        self._wanted = True
        self._reason = reason
        if client.state == CALLING:  # §9.1: not before a provisional answer
            return
        client.cancelling = True
        cancel = cancel_of(client.request, reason)
        layer = self._agent.layer
        NonInviteClient(layer, NOBODY, client.branch + b"|CANCEL", cancel, client.flow, now)
        self._alarm.start(TIMER_B, now)

    def provisional(self, now: float) -> None:
        if self._wanted:
            self.cancel(self._reason, now)

    def _no_answer(self, now: float) -> None:
        """64*T1 after the CANCEL and no final answer: it counts as cancelled (§9.1)."""
        client, user = self._client, self._user
        if client is not None and client.request and client.branch in self._agent.layer.clients:
            client.abandon()
            if user is not None:
                user.on_timeout(now)
