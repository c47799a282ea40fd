"""The transaction user above everything: takes each message where it belongs.

The shell's side of the contract:
- `receive(data, flow, now)` for every datagram and every framed stream message; it never raises
  for anything a peer sends. Afterwards send what is in `out` (in order) and clear it.
- If `facts_waiting` is true, within about 200 ms, or 20 ms if `answers_waiting`: `facts, held =
  take_facts(wall)`, make the facts durable, then send `held`. If that fails, call
  `facts_lost(held, now)`, which answers 503 instead.
- One timer: after each call look at `next_timer()` (monotonic seconds or None) and call
  `handle_timers(now)` then; `out` may be full afterwards.
- `flow_failed(flow, now)` when a connection closed or could not be made, or a datagram bounced.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from sipengine.api import BindingRecord, CallRecord, ConfigSnapshot, Extension, Fact
from sipengine.services.authentication import Authenticator, Refusal
from sipengine.services.calls import MAX_CALLS, Call, Calls
from sipengine.services.location import Location
from sipengine.services.ports import Flows
from sipengine.services.proxy.forwarding import (
    Branches,
    is_whole,
    loop_hash,
    made_whole,
    pop_own_routes,
    top_via,
    top_via_slowly,
)
from sipengine.services.proxy.invite_context import result_of
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.proxy.record_route import Ends, RecordRoute
from sipengine.services.redirect import contacts_of, registered_contacts
from sipengine.services.registrar import Registrar
from sipengine.services.replies import reply, reply_to_broken
from sipengine.services.responsibility import Responsibility
from sipengine.services.routing import (
    OUTSIDE_TIMEOUT,
    REPLY_CONTACTS,
    REPLY_REGISTERED,
    RING,
    Decision,
    Destination,
    RoutingTable,
    Stage,
)
from sipengine.sip.address import parse_address, readable
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message, parse, salvage
from sipengine.sip.transaction.invite_server import InviteServer
from sipengine.sip.transaction.layer import TransactionLayer, old_style_branch, server_key
from sipengine.sip.transaction.non_invite_server import NonInviteServer
from sipengine.sip.uri import parse_uri
from sipengine.sip.via import MAGIC_COOKIE, parse_via

ALLOW: Final = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER"
SUPPORTED: Final = frozenset({"path"})
"""Option tags that a request to this server itself may require."""
MAX_TRANSACTIONS: Final = 200_000
"""Server transactions at once (about 1.5 kB each); more new requests are answered 503."""
MAX_DROP_SAMPLES: Final = 8

_USUAL_VIA: Final = re.compile(
    r"Via: SIP/2\.0/(UDP|TCP) ([A-Za-z0-9._-]+:[0-9]{1,5});branch=([^;,\s\"]+)(;rport(?=[;,]|$))?"
)
"""A top Via as nearly every phone writes it; others go the long way."""
_RPORT: Final = re.compile(r"\s*;\s*rport\s*(?=[;,]|$)", re.IGNORECASE)


class Core:
    """Registrar, location service, proxy and redirect server, without loop, socket or clock.

    `now` is monotonic seconds, `wall` seconds since 1970. `secret` (>= 16 bytes) signs nonces and
    Record-Routes and lasts over restarts; `instance` is different in every process. `listening`
    are the (transport, host, port) that this server answers at, `advertised` what phones are told.
    """

    def __init__(
        self,
        snapshot: ConfigSnapshot,
        flows: Flows,
        *,
        secret: bytes,
        instance: str,
        listening: list[tuple[str, str, int]],
        advertised: tuple[str, int],
        now: float,
        wall: float,
    ) -> None:
        unique = hashlib.blake2s(instance.encode()).hexdigest()
        self._layer = TransactionLayer()
        self.out = self._layer.out
        self._held: list[tuple[Flow, bytes, Message]] = []
        self._taken: tuple[list[Fact], list[tuple[Flow, bytes, Message]]] = [], []
        self._facts: list[Fact] = []
        self._flows = flows
        self._unique = unique
        self._tag_prefix = f"{unique[:8]}-"
        self._offset = wall - now
        self._responsibility = Responsibility(listening, advertised)
        self._authenticator = Authenticator(
            hashlib.blake2s(f"nonce {instance} {wall}".encode(), key=secret[:32]).digest()
        )
        self._location = Location(flows, self._facts)
        self._registrar = Registrar(self._location, self._responsibility)
        self._calls = Calls(self._layer.timers, self._offset)
        self._record_route = RecordRoute(
            hashlib.blake2s(b"route", key=secret[:32]).digest(), advertised
        )
        self._branches = Branches(unique[:6], advertised)
        self._proxy = Proxy(
            self._layer, self._location, flows, self._calls, self._record_route, self._branches,
            self._responsibility, self._tag_prefix,
        )  # fmt: skip
        self._counts: dict[str, int] = {}
        self._drops: list[tuple[str, str, bytes]] = []
        self.set_config(snapshot, now)

    # ------------------------------------------------------------------ the shell's calls

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take one message. See the contract at the top of this file."""
        if data.startswith(b"SIP/2.0 "):
            self._receive_response(data, flow, now)
            return
        try:
            message = parse(data, flow.reliable)
        except RemoteProtocolError as error:
            self._refuse_broken(data, flow, error)
            return
        if message.status:
            self._receive_response(b"SIP/2.0" + data.lstrip(b"\r\n")[7:], flow, now)
            return
        reply_flow = flow
        try:
            reply_flow, branch, sent_by = self._reply_flow(message, flow)
            self._receive_request(message, flow, reply_flow, branch, sent_by, now)
        except RemoteProtocolError as error:
            self._count("requests_refused")
            if message.method != "ACK":
                self._answer(message, reply_flow, error.status, error.reason)

    def flow_failed(self, flow: Flow, now: float) -> None:
        for client in list(flow.clients):  # §17.1.4
            client.fail(now)
        self._location.flow_closed(flow)

    def next_timer(self) -> float | None:
        due = self._layer.timers.next_due()
        expiry = self._location.next_expiry()
        if due is None or (expiry is not None and expiry < due):
            return expiry
        return due

    def handle_timers(self, now: float) -> None:
        self._layer.timers.expire(now)
        self._location.expire(now, now + self._offset)

    @property
    def facts_waiting(self) -> bool:
        return bool(self._facts or self._held or self._calls.waiting)

    @property
    def answers_waiting(self) -> bool:
        """Whether answers wait for the facts to be durable: then they are urgent."""
        return bool(self._held)

    def take_facts(self, wall: float) -> tuple[list[Fact], list[tuple[Flow, bytes]]]:
        """Facts since last asked, and the messages that may go out once they are durable."""
        facts: list[Fact] = list(self._facts)
        self._facts.clear()
        facts += self._calls.take_records()
        self._taken = facts, self._held
        self._held = []
        return facts, [(flow, data) for flow, data, _ in self._taken[1]]

    def facts_lost(self, held: list[tuple[Flow, bytes]], now: float) -> None:
        """The facts taken last could not be made durable: nothing of it may be acknowledged.

        Rows of calls are tried again with the next facts; bindings when their phones come back.
        """
        facts, unacknowledged = self._taken
        for flow, _, message in unacknowledged:
            extra = ["Retry-After: 30"]
            self.out.append((flow, reply(message, 503, to_tag=self._tag(message), extra=extra)))
        self._location.lost(facts)
        rows = [fact for fact in facts if isinstance(fact, CallRecord)]
        self._facts += rows[: max(0, MAX_CALLS - len(self._facts))]
        self._taken = [], []
        self._count("registrations_not_stored", len(held))

    def set_config(self, snapshot: ConfigSnapshot, now: float) -> None:
        """Decide by another configuration from now on; calls in progress go on as they began."""
        self._snapshot = snapshot
        self._table = RoutingTable(snapshot)
        self._responsibility.set_config(snapshot)

    def restore(
        self, bindings: list[BindingRecord], calls: list[CallRecord], now: float, wall: float
    ) -> None:
        """Take up what an earlier process left, before any message is received."""
        self._location.restore(bindings, now, wall)
        self._calls.restore(calls, now)

    def counters(self) -> dict[str, int]:
        """Numbers for health and metrics; those ending in `_now` go up and down, others only up."""
        return {
            **self._counts,
            "calls_now": self._calls.count,
            "calls": self._calls.total,
            "bindings_now": len(self._location),
            "transactions_now": len(self._layer.servers) + len(self._layer.clients),
        }

    def take_drops(self) -> list[tuple[str, str, bytes]]:
        """(reason, peer, first bytes) of messages dropped since last asked; at most a few samples."""
        drops = self._drops
        self._drops = []
        return drops

    # ------------------------------------------------------------------ responses

    def _receive_response(self, data: bytes, flow: Flow, now: float) -> None:
        """Find the branch in the top Via and hand the rest to its transaction (§16.7, §17.1.3)."""
        try:
            status = int(data[8:11])
            if not is_whole(data):
                data = made_whole(data)
            elif status >= 300:
                parse(data)  # the contexts look into failures
            found = top_via(data) or top_via_slowly(data)
        except (RemoteProtocolError, ValueError):
            self._drop("broken response", flow, data)
            return
        branch, rest = found
        client = self._layer.clients.get(branch)
        if client is None or not 100 <= status < 700:
            self._drop(
                "stray response", flow, data
            )  # §16.7 step 1 with RFC 6026 §7.3: not forwarded
            return
        if getattr(client, "cancelling", False) and _is_for_cancel(rest):
            client = self._layer.clients.get(branch + b"|CANCEL")
            if client is None:
                return
        client.receive(status, rest, now)

    # ------------------------------------------------------------------ requests

    def _receive_request(
        self, message: Message, flow: Flow, reply_flow: Flow, branch: str, sent_by: str, now: float
    ) -> None:
        method = message.method
        if not branch.startswith(MAGIC_COOKIE):
            branch = old_style_branch(
                message.uri, message.from_tag, message.call_id, message.cseq, f"{sent_by};{branch}"
            )
        key = server_key(branch, sent_by, method)
        server = self._layer.servers.get(key)
        if server is not None:
            server.receive(method, now)
            return
        if method == "ACK":
            self._receive_ack(message, flow, now)
            return
        if method == "CANCEL":
            self._receive_cancel(message, branch, sent_by, reply_flow, now)
            return
        if len(self._layer.servers) >= MAX_TRANSACTIONS:
            raise RemoteProtocolError(503, "Service Unavailable")
        route = pop_own_routes(message, self._is_own_route)
        uri = parse_uri(message.uri)
        to_tag = message.to_tag
        if not to_tag and not uri.user and self._responsibility.domain_of(uri.host, uri.port):
            self._for_the_server(message, reply_flow, flow, uri.host, uri.port, now)
            return
        hash_of_loop = self._check(message)
        if to_tag:
            self._in_dialog(message, flow, reply_flow, key, route, to_tag, hash_of_loop, now)
        else:
            self._out_of_dialog(message, flow, reply_flow, key, hash_of_loop, now)

    def _reply_flow(self, message: Message, flow: Flow) -> tuple[Flow, str, str]:
        """Note in the top Via where the request came from (§18.2.1, RFC 3581 §4).

        Returns the flow that answers take (§18.2.2), and the branch and sent-by of that Via.
        """
        at = message.line("Via")
        assert at is not None
        line = message.lines[at]
        host, port = flow.remote
        usual = _USUAL_VIA.match(line)
        if usual is not None and usual[1] == flow.transport:
            sent_by, branch, wants_rport = usual[2], usual[3], usual[4] is not None
            same_host = sent_by.rpartition(":")[0] == host
            end = usual.end(4) if wants_rport else usual.end(3)
        else:
            value = line.partition(":")[2].strip()
            message.lines[at] = line = f"Via: {value}"
            via = parse_via(value.partition(",")[0])
            sent_by, branch = via.sent_by, via.branch
            wants_rport = via.parameters.get("rport") == ""
            same_host = via.host == host
            end = len("Via: ") + len(value.partition(",")[0])
            if wants_rport:
                bare = _RPORT.sub("", line[:end], count=1)
                message.lines[at] = line = bare + line[end:]
                end = len(bare)
        if wants_rport:
            start = end if line[end - 6 : end] != ";rport" else end - 6
            message.lines[at] = f"{line[:start]};received={host};rport={port}{line[end:]}"
        elif not same_host:
            message.lines[at] = f"{line[:end]};received={host}{line[end:]}"
        if flow.reliable or wants_rport:
            return flow, branch, sent_by
        wanted = (
            int(sent_by.rpartition(":")[2]) if sent_by[-1:].isdigit() and ":" in sent_by else 5060
        )
        if wanted != port:
            return self._flows.flow_to("UDP", host, wanted), branch, sent_by
        return flow, branch, sent_by

    def _check(self, message: Message) -> int:
        """Request validation (§16.3); returns the hash that tells a loop."""
        hops = message.value("Max-Forwards")
        if hops is not None:
            if not (hops.isdigit() and hops.isascii() and len(hops) <= 3):
                raise RemoteProtocolError(400, "Bad Request: broken Max-Forwards header")
            if int(hops) == 0:
                raise RemoteProtocolError(483, "Too Many Hops")
        if message.has("Proxy-Require"):
            raise RemoteProtocolError(420, "Bad Extension")
        hash_of_loop = loop_hash(message)
        if self._branches.is_loop(message, hash_of_loop):
            raise RemoteProtocolError(482, "Loop Detected")
        return hash_of_loop

    def _is_own_route(self, route: str) -> bool:
        if self._record_route.note_of(route) is not None:
            return True
        return self._responsibility.is_self(parse_address(route).uri)

    # -- to the server itself

    def _for_the_server(
        self, message: Message, reply_flow: Flow, flow: Flow, host: str, port: int, now: float
    ) -> None:
        """A request whose Request-URI is this server (§10.3, §11.2)."""
        if message.has("Require") and not SUPPORTED.issuperset(message.all("Require")):
            raise RemoteProtocolError(420, "Bad Extension")  # §8.2.2.3
        if message.method == "OPTIONS":
            extra = [ALLOW, "Accept: application/sdp", "Supported: path"]
            self.out.append(
                (reply_flow, reply(message, 200, to_tag=self._tag(message), extra=extra))
            )
            self._count("options_answered")
        elif message.method == "REGISTER":
            self._register(
                message, reply_flow, flow, self._responsibility.domain_of(host, port), now
            )
        else:
            extra = [ALLOW]
            self.out.append(
                (reply_flow, reply(message, 405, to_tag=self._tag(message), extra=extra))
            )

    def _register(
        self, message: Message, reply_flow: Flow, flow: Flow, domain: str, now: float
    ) -> None:
        who = self._authenticator.check(message, False, self._snapshot, domain, now, flow)
        if not isinstance(who, Extension):
            self._challenge(message, reply_flow, domain, False, who, now)
            return
        done = self._registrar.register(message, who, flow, now, now + self._offset)
        data = reply(message, done.status, done.reason, self._tag(message), done.lines)
        if done.durable:
            self._held.append((reply_flow, data, message))
        else:
            self.out.append((reply_flow, data))
        self._count("registrations" if done.status < 300 else "registrations_refused")

    def _challenge(
        self,
        message: Message,
        reply_flow: Flow,
        domain: str,
        proxy: bool,
        refusal: Refusal,
        now: float,
    ) -> None:
        """401 or 407 (§22.2, §22.3); the same whether the user or the password is wrong."""
        if refusal is Refusal.MALFORMED:
            raise RemoteProtocolError(400, "Bad Request: broken credentials")
        agent = message.value("User-Agent") or ""
        lines = self._authenticator.challenge(domain, proxy, refusal is Refusal.STALE, now, agent)
        status = 407 if proxy else 401
        self.out.append(
            (reply_flow, reply(message, status, to_tag=self._tag(message), extra=lines))
        )
        if refusal is Refusal.WRONG:
            self._count("credentials_wrong")

    # -- out of a dialog

    def _out_of_dialog(
        self,
        message: Message,
        flow: Flow,
        reply_flow: Flow,
        key: str,
        hash_of_loop: int,
        now: float,
    ) -> None:
        caller = parse_address(message.value("From") or "")
        realm = self._snapshot.default_domain
        caller_uri = parse_uri(caller.uri_text) if caller.uri_text.startswith("sip") else None
        caller_aor = self._responsibility.aor_of(caller_uri) if caller_uri is not None else ""
        if caller_aor:
            realm = caller_aor.rpartition("@")[2]
        who = self._authenticator.check(message, True, self._snapshot, realm, now)
        if not isinstance(who, Extension):
            self._challenge(message, reply_flow, realm, True, who, now)
            return
        if who.aor != caller_aor:
            raise RemoteProtocolError(403, "Forbidden: From is not the authenticated user")
        uri = parse_uri(message.uri)
        called = self._responsibility.aor_of(uri)
        if message.method == "INVITE":
            self._invite(
                message, flow, reply_flow, key, who, caller.display, called, hash_of_loop, now
            )
            return
        server = NonInviteServer(self._layer, key, reply_flow, now)
        if called:
            destinations = (Destination(aor=called),)
            if called not in self._snapshot.extensions:
                server.respond(404, reply(message, 404, to_tag=self._tag(message)), now)
                return
        else:
            destinations = (Destination(uri=message.uri),)
        self._proxy.non_invite(server, message, flow, destinations, hash_of_loop, now)

    def _invite(
        self, message: Message, flow: Flow, reply_flow: Flow, key: str, who: Extension, display: str,
        called: str, hash_of_loop: int, now: float,
    ) -> None:  # fmt: skip
        """A new call: decide where it goes and go there."""
        if self._calls.count >= MAX_CALLS:
            raise RemoteProtocolError(503, "Service Unavailable")
        server = InviteServer(self._layer, key, reply_flow, now)
        call = self._begin_call(message, flow, who, display, called, now)
        if called:
            number, _, domain = called.rpartition("@")
            decision = self._table.decide(number, domain)
            call.called = number
        else:
            decision = _to_outside(message.uri)
            call.called = message.uri
        call.rule = decision.rule
        call.decision = decision.trace
        if decision.kind == RING and decision.stage is not None:
            server.respond(100, reply(message, 100), now)
            self._proxy.invite(
                server,
                message,
                flow,
                call,
                decision.stage,
                decision.follow_redirects,
                hash_of_loop,
                now,
            )
            return
        self._answer_by_rule(message, server, call, decision, now)

    def _answer_by_rule(
        self, message: Message, server: InviteServer, call: Call, decision: Decision, now: float
    ) -> None:
        """Be the redirect server (§8.3), or refuse."""
        status, reason, extra, why = decision.status, decision.reason, [], ""
        if decision.kind == REPLY_CONTACTS:
            status, reason, extra = 302, "", contacts_of(decision.contacts)
            why = ", ".join(decision.contacts)
        elif decision.kind == REPLY_REGISTERED:
            assert decision.stage is not None
            extra = registered_contacts(decision.stage.destinations, self._location, now)
            status, reason = (302, "") if extra else (480, "")
            why = "the registered phone" if extra else "no phone is registered there"
        elif status == 404:
            why = f"there is no {call.called} here"
        elif decision.rule:
            why = reason
        server.respond(status, reply(message, status, reason, self._tag(message), extra), now)
        result = result_of(status)
        call.finish("failed" if result == "no_answer" else result, status, "system", now, why)

    def _begin_call(
        self, message: Message, flow: Flow, who: Extension, display: str, called: str, now: float
    ) -> Call:
        millis = int((now + self._offset) * 1000)
        count = self._calls.total
        tail = self._unique[:15]
        uuid = f"{millis >> 16 & 0xFFFFFFFF:08x}-{millis & 0xFFFF:04x}-7{count & 0xFFF:03x}-8{tail[:3]}-{tail[3:15]}"
        call = self._calls.begin(uuid, message.call_id, message.from_tag, now)
        call.caller_flow = flow
        call.domain = who.domain
        call.caller = who.aor
        call.caller_name = readable(display) or who.name
        call.caller_device = readable(message.value("User-Agent") or "")[:200]
        return call

    # -- in a dialog

    def _in_dialog(
        self, message: Message, flow: Flow, reply_flow: Flow, key: str, route: str | None, to_tag: str,
        hash_of_loop: int, now: float,
    ) -> None:  # fmt: skip
        """A request of a dialog that we relayed. Whoever cannot show that gets 481 (§12.2.2)."""
        found = self._calls.find(message.call_id, message.from_tag, to_tag)
        ends = self._ends(message, route, to_tag) if found is None else None
        if found is None and ends is None:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
        call, from_caller = (
            found if found is not None else (None, ends is not None and ends.from_caller)
        )
        if call is not None:
            if from_caller:
                call.caller_flow = flow
            else:
                call.callee_flow = flow
        target = self._proxy.in_dialog_target(message, ends, call, from_caller)
        if message.method == "INVITE":
            server = InviteServer(self._layer, key, reply_flow, now)
            server.respond(100, reply(message, 100), now)
            self._proxy.relay_invite(server, message, flow, target, hash_of_loop, now)
            return
        ending = (
            call
            if message.method == "BYE" and self._ends_call(message, call, from_caller, to_tag)
            else None
        )
        self._proxy.relay(
            NonInviteServer(self._layer, key, reply_flow, now), message, target, hash_of_loop, ending, from_caller, now
        )  # fmt: skip

    def _ends_call(
        self, message: Message, call: Call | None, from_caller: bool, to_tag: str
    ) -> bool:
        """Whether a BYE ends the call itself, not a second dialog of its fork."""
        if call is None:
            return False
        callee_tag = to_tag if from_caller else message.from_tag
        return not call.callee_tag or call.callee_tag == callee_tag

    def _ends(self, message: Message, route: str | None, to_tag: str) -> Ends | None:
        if route is None:
            return None
        note = self._record_route.note_of(route)
        if note is None:
            note = parse_address(route).uri.parameter("f")
        if not note:
            return None
        try:
            return self._record_route.read(note, message.call_id, message.from_tag, to_tag)
        except (KeyError, ValueError):
            return None

    def _receive_ack(self, message: Message, flow: Flow, now: float) -> None:
        """An ACK of no transaction: of a 2xx it goes on, of our own stateless answer it ends here."""
        to_tag = message.to_tag
        if to_tag.startswith(self._tag_prefix):
            return
        route = pop_own_routes(message, self._is_own_route)
        found = self._calls.find(message.call_id, message.from_tag, to_tag)
        ends = self._ends(message, route, to_tag) if found is None else None
        if found is None and ends is None:
            self._count("stray_acks")
            return
        call, from_caller = (
            found if found is not None else (None, ends is not None and ends.from_caller)
        )
        hash_of_loop = self._check(message)
        target = self._proxy.in_dialog_target(message, ends, call, from_caller)
        self._proxy.forward_ack(message, target, hash_of_loop)

    def _receive_cancel(
        self, message: Message, branch: str, sent_by: str, reply_flow: Flow, now: float
    ) -> None:
        """CANCEL (§9.2, §16.10): 200 to itself, and the INVITE's branches are cancelled."""
        invite = self._layer.servers.get(server_key(branch, sent_by, "INVITE"))
        status = 481
        if isinstance(invite, InviteServer):
            status = 200
            reason = message.value("Reason")
            if invite.user is not None:
                invite.user.on_cancel(f"Reason: {reason}" if reason else "", now)
        self.out.append((reply_flow, reply(message, status, to_tag=self._tag(message))))

    # ------------------------------------------------------------------ answers and drops

    def _tag(self, message: Message) -> str:
        """Our To tag, the same for a request that comes again (§8.2.7)."""
        return f"{self._tag_prefix}{hash((message.call_id, message.from_tag)) & 0xFFFFFFFF:x}"

    def _answer(self, message: Message, flow: Flow, status: int, reason: str) -> None:
        """A stateless refusal, to where the request came from."""
        extra: list[str] = []
        if status == 420:
            wanted = [
                option
                for option in message.all("Proxy-Require") + message.all("Require")
                if option not in SUPPORTED
            ]
            extra.append(f"Unsupported: {', '.join(wanted)}")
        elif status == 503:
            extra.append("Retry-After: 10")
        self.out.append((flow, reply(message, status, reason, self._tag(message), extra)))

    def _refuse_broken(self, data: bytes, flow: Flow, error: RemoteProtocolError) -> None:
        message = None if data.startswith(b"SIP/") else salvage(data)
        self._drop(error.reason, flow, data)
        if message is not None:
            self.out.append((flow, reply_to_broken(message, error.status, error.reason)))

    def _drop(self, reason: str, flow: Flow, data: bytes) -> None:
        self._count("messages_broken" if "stray" not in reason else "stray_responses")
        if len(self._drops) < MAX_DROP_SAMPLES:
            self._drops.append(
                (reason, f"{flow.transport} {flow.remote[0]}:{flow.remote[1]}", data[:200])
            )

    def _count(self, name: str, by: int = 1) -> None:
        self._counts[name] = self._counts.get(name, 0) + by


def _is_for_cancel(response: bytes) -> bool:
    """Whether a response's CSeq names CANCEL."""
    head = response.partition(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.rstrip().lower() == b"cseq":
            return value.split()[-1:] == [b"CANCEL"]
    return False


def _to_outside(uri: str) -> Decision:
    """A call to a URI of somebody else's domain, by one of our own users."""
    stage = Stage((Destination(uri=uri),), OUTSIDE_TIMEOUT)
    return Decision(
        RING, stage=stage, trace=(f"{uri} is outside, so the call goes straight there.",)
    )
