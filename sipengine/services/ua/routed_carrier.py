"""An INVITE of our own user agent that the proxy routes: to all phones of somebody, stage by stage.

No wire lies between the two: the proxy's answers are kept until the timers are next looked at, so
that neither calls into the other's half-done work.
"""

from __future__ import annotations

from sipengine.services.call import Call
from sipengine.services.media.anchors import Anchor
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.routing import Decision
from sipengine.services.ua.agent import UserAgent
from sipengine.services.ua.alarm import Alarm
from sipengine.services.ua.composing import with_via
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.parser import parse
from sipengine.sip.transaction.invite_client import ClientUser
from sipengine.sip.transaction.invite_server import (
    ACCEPTED,
    COMPLETED,
    PROCEEDING,
    InviteServer,
)
from sipengine.sip.transaction.layer import TransactionLayer


class LocalInviteServer(InviteServer):
    """The server transaction of such an INVITE: what it is answered goes to `client`."""

    def __init__(
        self, layer: TransactionLayer, key: str, flow: Flow, client: ClientUser, now: float
    ) -> None:
        super().__init__(layer, key, flow, "", now)
        del layer.servers[key]  # nothing of it ever comes by wire
        self._client = client
        self._answers: list[tuple[int, bytes]] = []
        self._alarm = Alarm(layer.timers, self._deliver)

    def respond(self, status: int, data: bytes, now: float) -> bool:
        """As `InviteServer.respond`: provisional answers, then 2xx or one failure."""
        if self.state == COMPLETED or (self.state == ACCEPTED and not 200 <= status < 300):
            return False
        if status >= 200:
            self.state = ACCEPTED if status < 300 else COMPLETED
        self._answers.append((status, data))
        self._alarm.start(0.0, now)
        return True

    def _deliver(self, now: float) -> None:
        answers, self._answers = self._answers, []
        for status, data in answers:
            self._client.on_response(status, data, now)


class RoutedCarrier:
    """A `Carrier`. `call` is the row that tells of it; its decision must be to ring."""

    def __init__(self, agent: UserAgent, proxy: Proxy, call: Call, decision: Decision) -> None:
        self._agent = agent
        self._proxy = proxy
        self._call = call
        self._decision = decision
        self._server: LocalInviteServer | None = None

    @property
    def flow(self) -> Flow | None:
        return self._call.callee_flow

    @property
    def anchor(self) -> Anchor | None:
        return self._call.anchor

    @property
    def knows_early_peers(self) -> bool:
        return False  # several phones may ring, by flows that only the proxy knows

    def send(self, message: Message, user: ClientUser, now: float) -> None:
        agent = self._agent
        address = self._proxy.branches.addresses.default
        here = Flow("UDP", address, address)
        key = agent.names.branch()
        routed = parse(with_via(message, agent.place.via(here, key)))
        self._server = server = LocalInviteServer(agent.layer, key, here, user, now)
        self._proxy.invite(
            server, routed, here, self._call, self._decision, routed.loop_hash(), now
        )

    def cancel(self, reason: str, now: float) -> None:
        server = self._server
        if server is not None and server.state == PROCEEDING and server.user is not None:
            server.user.on_cancel(reason, now)

    def provisional(self, now: float) -> None:
        """The proxy takes a CANCEL at any time."""
