"""The stateful proxy (RFC 3261 §16): what the core hands on to be forwarded."""

from __future__ import annotations

from typing import Final

from sipengine.services.binding import Binding
from sipengine.services.call import Call
from sipengine.services.gruu import Gruus
from sipengine.services.location import Location
from sipengine.services.media.anchors import Anchors
from sipengine.services.media.crossing import Crossing
from sipengine.services.media.crossing_ack import CrossingAck
from sipengine.services.media.crossing_exchange import CrossingExchange
from sipengine.services.ports import Flows
from sipengine.services.proxy.additions import Additions
from sipengine.services.proxy.answerers import Answerers
from sipengine.services.proxy.attempts import Attempts, Sender, Single
from sipengine.services.proxy.breadth import breadth_of, divide
from sipengine.services.proxy.copies import Copies
from sipengine.services.proxy.forwarding import Branches, Outgoing, push_strict_route
from sipengine.services.proxy.invite_context import InviteContext
from sipengine.services.proxy.large import Streams
from sipengine.services.proxy.non_invite_context import NonInviteContext
from sipengine.services.proxy.preloaded_route import take_preloaded
from sipengine.services.proxy.record_route import Ends, RecordRoute
from sipengine.services.proxy.resting import Resting
from sipengine.services.proxy.returning import Arrival
from sipengine.services.proxy.session_timer import SessionAsk
from sipengine.services.proxy.sips import NOT_ALLOWED
from sipengine.services.proxy.targets import (
    Target,
    flow_to_uri,
    target_at,
    targets_of,
)
from sipengine.services.replies import reply
from sipengine.services.responsibility import Responsibility
from sipengine.services.routing import Decision, Destination
from sipengine.services.transfers import Transfers
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.next_hop import NextHop
from sipengine.sip.transaction.invite_server import InviteServer
from sipengine.sip.transaction.layer import TransactionLayer
from sipengine.sip.transaction.non_invite_server import NonInviteServer
from sipengine.sip.uri import SipUri, parse_uri

DIALOG_FORMING: Final = frozenset({"INVITE", "SUBSCRIBE", "REFER"})
"""Requests that get a Record-Route (§16.6 step 4); others have no use for one."""


class _Ack:
    """An ACK of a 2xx that goes on."""

    __slots__ = ("_layer", "_outgoing", "_uri")

    def __init__(self, layer: TransactionLayer, outgoing: Outgoing, uri: str) -> None:
        self._layer = layer
        self._outgoing = outgoing
        self._uri = uri

    def send_once(self, flow: Flow) -> None:
        _, data = self._outgoing.to(self._uri, flow, "")
        self._layer.out.append((flow, data))


class Proxy:
    """Forwards requests. It owns no table itself: transactions, calls and bindings have their owners."""

    def __init__(
        self,
        *,
        layer: TransactionLayer,
        flows: Flows,
        location: Location,
        branches: Branches,
        record_route: RecordRoute,
        responsibility: Responsibility,
        gruus: Gruus,
        anchors: Anchors | None,
        tag_prefix: str,
    ) -> None:
        """`anchors` carry the media of calls that need it; without it all media flow straight."""
        self.layer = layer
        self.flows = flows
        self.record_route = record_route
        self.resting = Resting()
        self.transfers = Transfers()
        self.streams = Streams(flows)
        self.location = location
        self.gruus = gruus
        self.branches = branches
        self._tag_prefix = tag_prefix
        self._responsibility = responsibility
        self.anchors = anchors
        self.answerers: Answerers | None = None  # while a domain vouches for anybody, or trusts

    def media_counters(self) -> dict[str, int]:
        return {} if self.anchors is None else self.anchors.counters()

    # -- out of a dialog

    def invite(
        self,
        server: InviteServer,
        message: Message,
        source: Flow,
        call: Call,
        decision: Decision,
        loop_hash: int,
        now: float,
        *,
        additions: Additions | None = None,
        session: SessionAsk | None = None,
    ) -> None:
        """Ring for a new call as `decision` says, which has a stage. The caller of this has sent 100
        Trying. `session` is what the INVITE asks for.
        """
        route = take_preloaded(message, self.flows) if message.has("Route") else None
        outgoing = Outgoing(message, self.branches, loop_hash, self._responsibility.realms)
        copies = Copies(
            message,
            outgoing,
            source,
            self.record_route,
            call=call,
            additions=additions,
            route=route,
        )
        if session is not None:
            session.call = call
        InviteContext(self, server, copies, call, session).start(decision, now)

    def non_invite(
        self, server: NonInviteServer, message: Message, source: Flow, destinations: tuple[Destination, ...],
        loop_hash: int, now: float,
    ) -> None:  # fmt: skip
        """Forward a request other than INVITE to all contacts of its destinations; 480 if there are none."""
        targets = self.targets(destinations, now)
        tag = self.local_tag(server.key)
        if not targets:
            extra = [NOT_ALLOWED] if destinations[0].secure else []
            server.respond(480, reply(message, 480, to_tag=tag, extra=extra), now)
            return
        told = message.has("Max-Breadth")
        if (told or len(targets) > 1) and not divide(targets, breadth_of(message)):
            server.respond(440, reply(message, 440, to_tag=tag), now)  # RFC 5393 §5.3.3
            return
        if told:
            message.replace("Max-Breadth", [])
        if message.has("Route"):
            route = take_preloaded(message, self.flows)
            targets = targets if route is None else [route.by_way_of(target) for target in targets]
        outgoing = Outgoing(message, self.branches, loop_hash, self._responsibility.realms)
        towards = source if message.method in DIALOG_FORMING else None
        NonInviteContext(server, message, tag).send(self, outgoing, targets, towards, now)

    # -- in a dialog

    def in_dialog_target(
        self, message: Message, ends: Ends | None, heard: Flow | None, from_caller: bool, now: float
    ) -> Target:
        """Where a request of a dialog goes (§16.6 steps 6 and 7), its route set being cut already.

        `heard` is the flow that the other side was last heard on, if that is known.
        Raises `RemoteProtocolError` if that is no place this server can reach.
        """
        following = push_strict_route(message) if message.has("Route") else ""
        if following:
            return target_at(message.uri, following, self.flows, message.uri)
        uri = parse_uri(message.uri)
        if uri.parameters and self.gruus.concerns(uri):
            target = self._phone_of_gruu(uri, heard, now)
            if target is not None:
                return target
        side = None
        if heard is not None:
            side = (heard.transport, *heard.remote)
        elif ends is not None:
            side = ends.callee if from_caller else ends.caller
        return self.remote_target(message.uri, heard, side)

    def _phone_of_gruu(self, uri: SipUri, heard: Flow | None, now: float) -> Target | None:
        """The phone that a GRUU as remote target names; of its flows the one it was heard on, if that
        is there. None if it is not registered, but still there.

        Raises `RemoteProtocolError` 480 or 404 if there is no way to it.
        """
        there = heard is not None and heard.open
        try:
            aor, instance = self.gruus.named_by(uri, now)
        except RemoteProtocolError:
            if there:
                return None
            raise
        destination = Destination(aor=aor, instance=instance)
        for target in self.targets((destination,), now):
            for flow in (target, *target.others):
                if flow.flow is heard:
                    return flow
            return target
        if there:
            return None
        raise RemoteProtocolError(480, "Temporarily Unavailable")

    def remote_target(
        self, uri_text: str, heard: Flow | None, side: tuple[str, str, int] | None
    ) -> Target:
        """A dialog's remote target: by its connection while that stands, else its address.

        A remote target that names another host than the peer was heard from is behind NAT, so
        that the flow it was heard on is the only way to it.
        """
        uri = parse_uri(uri_text)
        if side is None:
            if self._responsibility.domain_of(uri.host, uri.port):  # no contact is here
                raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
            return target_at(uri_text, uri_text, self.flows, uri_text)
        transport, host, port = side
        if transport == "UDP":
            elsewhere = (uri.port or 5060) != port or bool(uri.parameter("maddr"))
            if elsewhere and uri.host == host and uri.transport == "UDP":
                flow = flow_to_uri(uri_text, self.flows)
            else:
                flow = heard if heard is not None else self.flows.flow_to("UDP", host, port)
            binding = self.location.binding_for_contact(uri_text)
            if binding is not None and binding.former is flow:  # its NAT gave it another address
                flow = self.location.target_flow(binding) or flow
            return Target(uri_text, flow, uri_text)
        if heard is not None and heard.open:
            return Target(uri_text, heard, uri_text)
        binding = self.location.binding_for_contact(uri_text)
        if binding is not None:
            again = self.location.target_flow(binding)
            if again is not None:
                return Target(uri_text, again, uri_text)
        hop = NextHop(uri.host, uri.port, transport, uri.scheme == "sips")
        if hop.is_numeric:
            if uri.host != host:  # behind NAT, and somebody else may be at that address here
                raise RemoteProtocolError(430, "Flow Failed")  # RFC 5626 §5.3
            return Target(uri_text, self.flows.flow_to(transport, uri.host, uri.port), uri_text)
        return Target(uri_text, None, uri_text, hop=hop)

    def relay_invite(
        self,
        server: InviteServer,
        message: Message,
        source: Flow,
        target: Target,
        loop_hash: int,
        now: float,
        session: SessionAsk | None,
        crossing: Crossing | None = None,
    ) -> None:
        """Forward a re-INVITE; `session` is what it asks for, `crossing` the way of its media."""
        outgoing = Outgoing(message, self.branches, loop_hash, self._responsibility.realms)
        copies = Copies(message, outgoing, source, self.record_route)
        InviteContext(self, server, copies, None, session, crossing).relay(target, now)

    def relay(
        self, server: NonInviteServer, message: Message, target: Target, loop_hash: int, call: Call | None,
        from_caller: bool, now: float, session: SessionAsk | None = None,
        crossing: Crossing | None = None,
    ) -> None:  # fmt: skip
        """Forward any other request of a dialog; `call` is given for its BYE, `session` for an UPDATE."""
        outgoing = Outgoing(message, self.branches, loop_hash, self._responsibility.realms)
        tag = self.local_tag(server.key)
        if crossing is not None and message.body:
            other = CrossingExchange(server, message, tag, crossing, session)
            other.begin(self, outgoing, target, now)
            return
        context = NonInviteContext(server, message, tag, call, from_caller, now, session)
        context.send(self, outgoing, [target], None, now)

    def forward_ack(
        self, message: Message, target: Target, loop_hash: int, crossing: Crossing | None = None
    ) -> None:
        """An ACK of a 2xx goes on without any state (§16.11 last paragraph, §17)."""
        outgoing = Outgoing(message, self.branches, loop_hash, self._responsibility.realms)
        flow = target.flow
        if flow is not None:
            _, data = outgoing.to(target.uri, flow, "")
            if crossing is not None:
                CrossingAck(self.layer, flow, data, message, crossing).begin()
                return
            self.layer.out.append((flow, data))
        elif target.hop is not None:
            ack = _Ack(self.layer, outgoing, target.uri)
            Single(self.flows, self.resting, ack).start(target.hop, message.call_id)

    # -- for the contexts

    def attempts(self, hop: NextHop, sender: Sender) -> Attempts:
        """The servers of a next hop for one request, not asked for yet."""
        return Attempts(self.flows, self.resting, self._responsibility, hop, sender)

    def targets(self, destinations: tuple[Destination, ...], now: float) -> list[Target]:
        return targets_of(destinations, self.location, self.flows, now)

    def on_arrival(self, binding: Binding, old_contact: str, now: float) -> None:
        """A phone that is being called has registered anew; it had `old_contact` when it was rung."""
        Arrival(self, binding, old_contact, now)

    def destinations_of_uri(self, uri: str, now: float) -> tuple[Destination, ...]:
        """The extension that a URI at one of our domains names, for a 3xx that points back here."""
        parsed = parse_uri(uri)
        if self.gruus.concerns(parsed):
            aor, instance = self.gruus.named_by(parsed, now)
            return (Destination(aor=aor, instance=instance),)
        aor = self._responsibility.aor_of(parsed)
        return (Destination(aor=aor),) if aor else ()

    def local_tag(self, key: str) -> str:
        """A To tag of ours, the same for the same transaction."""
        return f"{self._tag_prefix}{hash(key) & 0xFFFFFFFF}"
