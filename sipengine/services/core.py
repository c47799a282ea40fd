"""The transaction user above everything: takes each message where it belongs.

The shell's side of the contract:
- `receive(data, flow, now)` for every datagram and every framed stream message; it never raises
  for anything a peer sends. Afterwards send what is in `out` (in order) and clear it.
- If `facts_waiting` is true, within about 50 ms, 20 ms if `answers_waiting`, at once if
  `facts_pressing`: `facts, held = take_facts()`, make the facts durable, then send `held`. If
  that fails, call `facts_lost()`, which answers 503 instead; `out` is full afterwards.
- One timer: after each call look at `next_timer()` (monotonic seconds or None) and call
  `handle_timers(now)` then; `out` may be full afterwards.
- Keep `admission` at the level and share that the load has: new requests are refused by it.
- `flow_failed(flow, now)` when a connection closed or could not be made, or a datagram bounced.
- `traces.sent_otherwise(0, now)` before sending what a callback, and none of these calls, caused.
"""

from __future__ import annotations

from sipengine.api import ConfigSnapshot, Fact, Restored
from sipengine.services.authentication import Authenticator
from sipengine.services.calls import Calls
from sipengine.services.challenger import Challenger
from sipengine.services.events.event_server import EventServer
from sipengine.services.facts import Facts
from sipengine.services.guard.followed_bans import FollowedBans
from sipengine.services.guard.guard import Guard
from sipengine.services.guard.refused import Refused
from sipengine.services.guard.sources import Allowed
from sipengine.services.keep_alives import KeepAlives
from sipengine.services.location import Location
from sipengine.services.media.anchors import Anchors
from sipengine.services.messages.messaging import Messaging
from sipengine.services.overload import Admission
from sipengine.services.own_addresses import OwnAddresses
from sipengine.services.own_answers import OwnAnswers
from sipengine.services.page_phones import PagePhones
from sipengine.services.ports import Flows, Media, MediaPlane, NoMedia
from sipengine.services.proxy.dialogs import Dialogs
from sipengine.services.proxy.forwarding import Branches, is_for_cancel, split_response
from sipengine.services.proxy.new_calls import NewCalls
from sipengine.services.proxy.new_requests import NewRequests
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.proxy.record_route import RecordRoute
from sipengine.services.proxy.session_timer import SessionTimers
from sipengine.services.proxy.validation import Validation
from sipengine.services.quick_refusal import is_acknowledgement
from sipengine.services.refused_calls import RefusedCalls
from sipengine.services.refused_words import OVERLOADED
from sipengine.services.refuser import Refuser
from sipengine.services.registrar import Registrar
from sipengine.services.replica import Replica
from sipengine.services.reply_path import reply_path
from sipengine.services.request_chain import RequestChain
from sipengine.services.requests_to_server import Held, RequestsToServer
from sipengine.services.responsibility import Responsibility
from sipengine.services.routing import RoutingTable
from sipengine.services.share import Share
from sipengine.services.sign_outs import SignOuts
from sipengine.services.this_process import ThisProcess
from sipengine.services.traces import MOST_BYTES, Traces
from sipengine.services.ua.own_agent import OwnAgent
from sipengine.services.ua.own_place import OwnPlace
from sipengine.services.way_back import WayBack
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.parser import parse
from sipengine.sip.transaction.invite_client import InviteClient
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.transaction.own_request import OwnInvite, OwnRequest


class Core:
    """Registrar, location service, proxy and redirect server, without loop, socket or clock.

    `now` is monotonic seconds, `wall` seconds since 1970. `secret` (>= 16 bytes) signs nonces and
    Record-Routes and lasts over restarts; `instance` is different in every process. `listening`
    are the (transport, host, port) that this server answers at, `advertised` what phones are told:
    (host, port), or more where transports and address families differ. `page_key`: PagePhones'.
    `allowed` are the networks that the guard never limits; without it there is no guard.
    `media` makes the RTP endpoints of calls answered here, `gateways` carry browsers' and phones'.
    `follows`: another process has the bindings and tells of them; `location` is a `Replica` then.
    `share` is what this process has of the messages, None if there is no other.
    """

    def __init__(
        self,
        snapshot: ConfigSnapshot,
        flows: Flows,
        *,
        secret: bytes,
        instance: str,
        listening: list[tuple[str, str, int]],
        advertised: tuple[str, int] | OwnAddresses,
        now: float,
        wall: float,
        allowed: Allowed | None = None,
        media: Media | None = None,
        gateways: MediaPlane | None = None,
        page_key: bytes = b"",
        trace_bytes: int = MOST_BYTES,
        follows: bool = False,
        share: Share | None = None,
    ) -> None:
        self.process = process = ThisProcess(secret, instance, now, wall, share)
        self._new_facts: list[Fact] = []
        self._held: Held = []
        self._layer = layer = TransactionLayer(WayBack(flows))
        self._flows, self.out, self.admission = flows, layer.out, Admission()
        self._answers = answers = OwnAnswers(self.out, process.tag_prefix, self.admission)
        addresses = advertised if isinstance(advertised, OwnAddresses) else OwnAddresses(advertised)
        self._responsibility = responsibility = Responsibility(listening, addresses.default)
        location = Replica(flows) if follows else Location(flows, self._new_facts)
        self.location = process.watcher = location
        self.traces = Traces(layer, trace_bytes)
        self._calls = calls = Calls(
            layer.timers, process, process.unique[:15], process.agent_mark, self.traces
        )
        self.refused = refused = Refused(process)
        self.guard = guard = (
            None
            if allowed is None
            else Guard(
                allowed, self._new_facts, process, now, refused,
                FollowedBans(process) if follows else None,
            )
        )  # fmt: skip
        self._refused_calls = refused_calls = RefusedCalls(
            calls, responsibility, layer.timers, process, self._new_facts
        )
        self._refuser = refuser = Refuser(answers, guard, refused_calls, self.traces)
        authenticator = Authenticator(
            process.passing_key("nonce"), refused=refused, guard=guard,
            pages=PagePhones(page_key, process, location),
        )  # fmt: skip
        self._challenger = challenger = Challenger(authenticator, answers, guard, refused_calls)
        registrar = Registrar(location, responsibility, process.lasting_key("gruu"))
        record_route = RecordRoute(process.lasting_key("route"), addresses)
        branches = Branches(process.unique[:6], addresses)
        anchors = None
        if gateways is not None:
            anchors = Anchors(gateways, layer, branches, process.unique[:8])
        validation = Validation(branches, record_route, responsibility)
        self._proxy = proxy = Proxy(
            layer=layer,
            flows=flows,
            location=location,
            branches=branches,
            record_route=record_route,
            responsibility=responsibility,
            gruus=registrar.gruus,
            anchors=anchors,
            tag_prefix=process.tag_prefix,
        )
        self._messaging = Messaging(proxy, answers, self._held, self._new_facts, process)
        to_server = RequestsToServer(
            answers, challenger, registrar, self._messaging, self.out, self._held, process, guard
        )
        self._sessions = SessionTimers(layer.timers)
        self._dialogs = Dialogs(proxy, calls, self._sessions, validation, answers)
        self.agent = OwnAgent(
            proxy, OwnPlace(proxy, validation, addresses), calls, media or NoMedia(), process
        )
        self._new_requests = NewRequests(
            proxy=proxy,
            new_calls=NewCalls(proxy, calls, self._sessions, self.agent.calls, answers),
            messaging=self._messaging,
            challenger=challenger,
            responsibility=responsibility,
        )
        self.events = EventServer(
            proxy, calls, challenger, responsibility, self._new_facts, process
        )
        self._requests = RequestChain(
            layer=layer,
            validation=validation,
            admission=self.admission,
            answers=answers,
            refuser=refuser,
            responsibility=responsibility,
            to_server=to_server,
            agent=self.agent,
            events=self.events,
            dialogs=self._dialogs,
            new_requests=self._new_requests,
        )
        self._sign_outs = SignOuts(location, self.events.notifier, process, now)
        location.connect(
            keeper=None
            if follows
            else KeepAlives(layer, location, branches, answers, process.unique, process),
            callers=proxy,
            listener=self.events,
        )
        self._facts = Facts(
            self._new_facts, self._held, calls, self.events.notifier, location, self._messaging,
            answers,
        )  # fmt: skip
        self.set_config(snapshot, now)

    # ------------------------------------------------------------------ the shell's calls

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take one message. See the contract at the top of this file."""
        before = len(self.out)
        self._take(data, flow, now)
        if self._layer.trace is not None:
            self.traces.sent(before, self._calls.watcher is not None, len(data), now)

    def _take(self, data: bytes, flow: Flow, now: float) -> None:
        if data.startswith(b"SIP/2.0 "):
            self._receive_response(data, flow, now)
            return
        if is_acknowledgement(data, self._answers.stateless_tag):
            self.traces.other(data, flow, now)
            return
        if self.admission.level and self._answers.sheds(data, flow, self._layer.servers):
            self._refused_calls.unread(data, flow, 503, OVERLOADED, now)
            return
        try:
            message = parse(data, flow.stream)
        except RemoteProtocolError as error:
            self._refuser.broken(data, flow, error, now)
            return
        if message.status:
            self._receive_response(b"SIP/2.0" + data.lstrip(b"\r\n")[7:], flow, now)
            return
        self.traces.request(message, data, flow, now)
        reply_flow = flow
        try:
            reply_flow, branch, sent_by = reply_path(message, flow, self._flows)
            self._requests.receive(message, flow, reply_flow, branch, sent_by, now)
        except RemoteProtocolError as error:
            self._refuser.refuse(message, reply_flow, error, now)

    def flow_failed(self, flow: Flow, now: float) -> None:
        before = len(self.out)
        self.location.flow_closed(flow, now)
        for client in list(flow.clients):  # §17.1.4
            client.fail(now)
        self.traces.sent_otherwise(before, now)

    def next_timer(self) -> float | None:
        due = self._layer.timers.next_due()
        expiry = self.location.next_expiry()
        if due is None or (expiry is not None and expiry < due):
            return expiry
        return due

    def handle_timers(self, now: float) -> None:
        before = len(self.out)
        self._layer.timers.expire(now)
        self.location.expire(now, now + self.process.offset)
        self.traces.sent_otherwise(before, now)

    @property
    def facts_waiting(self) -> bool:
        return bool(self._new_facts or self._held or self._calls.waiting)

    @property
    def answers_waiting(self) -> bool:
        """Whether answers wait for the facts to be durable: then they are urgent."""
        return bool(self._held)

    @property
    def facts_pressing(self) -> bool:
        """Whether a call was answered or ended, or somebody subscribed: nobody would tell it again."""
        return self._calls.pressing or self.events.notifier.pressing

    def take_facts(self, pressing: bool = False) -> tuple[list[Fact], list[tuple[Flow, bytes]]]:
        """(facts, answers that may go out once they are durable); only what presses, if so."""
        return self._facts.take(pressing)

    def facts_lost(self) -> None:
        """The facts taken last could not be made durable: nothing of it may be acknowledged."""
        self.out += self._facts.lost()

    def set_config(self, snapshot: ConfigSnapshot, now: float) -> None:
        """Decide by another configuration from now on; calls in progress go on as they began."""
        table = RoutingTable(snapshot)
        trusted = frozenset(host for domain in snapshot.domains.values() for host in domain.trusted)
        if self.guard is not None:
            self.guard.pardon(snapshot.pardons, now)
            self.guard.set_servers(trusted, now)
        self._challenger.set_config(snapshot, now)
        self._new_requests.set_config(table, trusted)
        self.agent.set_config(table)
        self._dialogs.set_config(trusted)
        self._sessions.set_config(snapshot)
        self._calls.set_config(snapshot)
        self._responsibility.set_config(snapshot)
        self.events.set_config(snapshot, now)
        self._sign_outs.follow(snapshot, now)

    def restore(self, left: Restored, now: float, wall: float) -> None:
        """Take up what an earlier process left, before any message is received."""
        bindings = left.bindings
        if self.guard is not None:
            bindings = self.guard.restore(left.bans, bindings, now)
        self.location.restore(bindings, now, wall)
        self._sessions.restore(self._calls.restore(left.calls, now), now)
        self.events.restore(left.subscriptions, now)
        self._sign_outs.follow(self._challenger.snapshot, now)
        self._messaging.restore(left.messages, now)

    def counters(self) -> dict[str, int]:
        """Numbers for health and metrics; those ending in `_now` go up and down, others only up."""
        return {
            **self._answers.counts,
            **({} if self.guard is None else self.guard.counters()),
            **self._proxy.media_counters(),
            **self.traces.counters(),
            "calls_now": self._calls.count,
            "calls": self._calls.total,
            "calls_refused_unlogged": self._refused_calls.unlogged,
            "bindings_now": len(self.location),
            "own_sessions_now": self.agent.count,
            "messages_kept_now": len(self._messaging.kept),
            "messages_delivered": self._messaging.deliveries.delivered,
            "subscriptions_now": len(self.events.notifier),
            "notifies": self.events.notifier.notifies,
            "notifies_failed": self.events.notifier.notifies_failed,
            "transactions_now": len(self._layer.servers) + len(self._layer.clients),
        }

    def take_drops(self) -> list[tuple[str, str, bytes]]:
        """(reason, peer, first bytes) of messages dropped since last asked; at most a few samples."""
        return self._answers.take_drops()

    # ------------------------------------------------------------------ messages

    def _receive_response(self, data: bytes, flow: Flow, now: float) -> None:
        """Find the branch in the top Via and hand the rest to its transaction (§16.7, §17.1.3)."""
        try:
            status = int(data[8:11])
            branch, rest = split_response(data)
            client = self._layer.clients.get(branch)
            if isinstance(client, InviteClient) and client.cancelling and is_for_cancel(rest):
                client = self._layer.clients.get(branch + b"|CANCEL")
            elif 300 <= status != 487 and not isinstance(client, (OwnInvite, OwnRequest)):
                parse(rest)  # the contexts look into failures, but not into what CANCEL led to
        except (RemoteProtocolError, ValueError):
            self._refuser.drop("broken response", flow, data, now)
            return
        if client is None or not 100 <= status < 700:
            # §16.7 step 1 with RFC 6026 §7.3: not forwarded
            self._refuser.drop("stray response", flow, data, now)
            return
        self.traces.answer(client, data, flow, now)
        client.receive(status, rest, now)
