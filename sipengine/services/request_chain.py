"""The chain that a request passes (RFC 3261 §16.2): whose it is, and who sees to it.

Its transaction comes first, then our own Routes are taken off, then it is for the user agent, the event
server, this server itself, a dialog that goes through us, or it begins something.
"""

from __future__ import annotations

from typing import Final

from sipengine.services.events.event_server import METHODS, EventServer
from sipengine.services.overload import Admission
from sipengine.services.own_answers import OwnAnswers
from sipengine.services.proxy.cancelling import receive_cancel
from sipengine.services.proxy.dialogs import Dialogs
from sipengine.services.proxy.forwarding import pop_own_routes
from sipengine.services.proxy.new_requests import NewRequests
from sipengine.services.proxy.validation import Validation
from sipengine.services.refused_words import OVERLOADED
from sipengine.services.refuser import Refuser
from sipengine.services.requests_to_server import RequestsToServer
from sipengine.services.responsibility import Responsibility
from sipengine.services.ua.own_agent import OwnAgent
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.transaction.invite_server import ACCEPTED
from sipengine.sip.transaction.layer import TransactionLayer, old_style_branch, server_key
from sipengine.sip.uri import parse_uri
from sipengine.sip.via import MAGIC_COOKIE

MAX_TRANSACTIONS: Final = 200_000
"""Server transactions at once (about 1.5 kB each); more new requests are answered 503."""

_OVERLOADED: Final = RemoteProtocolError(503, OVERLOADED)


class RequestChain:
    """Each step raises `RemoteProtocolError` for what it refuses."""

    def __init__(
        self,
        *,
        layer: TransactionLayer,
        validation: Validation,
        admission: Admission,
        answers: OwnAnswers,
        refuser: Refuser,
        responsibility: Responsibility,
        to_server: RequestsToServer,
        agent: OwnAgent,
        events: EventServer,
        dialogs: Dialogs,
        new_requests: NewRequests,
    ) -> None:
        self._layer = layer
        self._validation = validation
        self._is_own_route = validation.is_own_route
        self._admission = admission
        self._answers = answers
        self._refuser = refuser
        self._responsibility = responsibility
        self._to_server = to_server
        self._agent = agent
        self._events = events
        self._dialogs = dialogs
        self._new_requests = new_requests

    def receive(
        self, message: Message, flow: Flow, reply_flow: Flow, branch: str, sent_by: str, now: float
    ) -> None:
        """`branch` and `sent_by` are those of the top Via."""
        method = message.method
        if len(branch) <= len(MAGIC_COOKIE) or not branch.startswith(MAGIC_COOKIE):
            branch = old_style_branch(
                message.uri, message.from_tag, message.call_id, message.cseq, f"{sent_by};{branch}"
            )
        key = server_key(branch, sent_by, method)
        servers = self._layer.servers
        server = servers.get(key)
        if server is not None and not (method == "ACK" and server.state == ACCEPTED):
            server.receive(method, now)
        elif method == "ACK":
            self._acknowledgement(message, now)
        elif method == "CANCEL":
            receive_cancel(self._layer, message, branch, sent_by, now)
            self._answers.send(message, reply_flow, 200)
        elif self._admission.level and not message.to_tag and not self._admission.admits(message):
            self._answers.count("requests_shed")
            self._refuser.refuse(message, reply_flow, _OVERLOADED, now, guarded=False)
        elif len(servers) >= MAX_TRANSACTIONS:
            raise RemoteProtocolError(503, "Service Unavailable")
        else:
            route = pop_own_routes(message, self._is_own_route)
            if message.to_tag:
                self._within_dialog(message, flow, reply_flow, key, route, now)
            else:
                self._outside_dialogs(message, flow, reply_flow, key, now)

    def _acknowledgement(self, message: Message, now: float) -> None:
        """An ACK whose branch is of no failure."""
        failed = self._layer.unconfirmed.find(message.call_id, message.cseq, message.to_tag)
        if failed is not None:
            failed.receive("ACK", now)
        # of a 2xx, also by old phones that keep the INVITE's branch (RFC 6026 §7.1)
        elif self._agent.owns(message.to_tag):
            self._agent.receive_ack(message, now)
        else:
            self._dialogs.receive_ack(message, now)

    def _within_dialog(
        self, message: Message, flow: Flow, reply_flow: Flow, key: str, route: str | None, now: float
    ) -> None:  # fmt: skip
        """A new request with a To tag. `route` is our own Route that was on top, if there was one."""
        parse_uri(message.uri)
        if self._agent.owns(message.to_tag):
            self._agent.receive(message, flow, reply_flow, key, now)
            return
        if message.method == "SUBSCRIBE" and self._events.receive_within(
            message, flow, reply_flow, key, now
        ):
            return
        loop_hash = self._validation.check(message)
        self._dialogs.receive(message, flow, reply_flow, key, route, loop_hash, now)

    def _outside_dialogs(
        self, message: Message, flow: Flow, reply_flow: Flow, key: str, now: float
    ) -> None:
        """A request that may begin something: for this server, for a user of ours, or to pass on."""
        uri = parse_uri(message.uri)
        if self._layer.own and self._layer.is_merged(message):
            raise RemoteProtocolError(482, "Loop Detected: merged request")  # §8.2.2.2
        # §10.2 wants no user there, some phones write one
        user = uri.user and message.method != "REGISTER"
        domain = "" if user else self._responsibility.domain_of(uri.host, uri.port)
        if domain:
            self._to_server.receive(message, flow, reply_flow, domain, now)
            return
        if message.method in METHODS and self._events.receive(message, flow, reply_flow, key, now):
            return
        loop_hash = self._validation.check(message)
        self._new_requests.receive(message, flow, reply_flow, key, loop_hash, now)
