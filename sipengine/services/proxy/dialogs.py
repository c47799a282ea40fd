"""Requests within dialogs that this proxy relayed (RFC 3261 §12.2, §16.6).

They need no password: the engine knows their call, or their Route carries our signed note (D3).
Whoever can show neither gets 481.
"""

from __future__ import annotations

from sipengine.services.call import Call
from sipengine.services.calls import Calls
from sipengine.services.media.crossing import Crossing
from sipengine.services.media.numbering import invite_server, other_server
from sipengine.services.media.pressed_keys import PlayedKey, key_in
from sipengine.services.own_answers import OwnAnswers
from sipengine.services.proxy.forwarding import pop_own_routes
from sipengine.services.proxy.identity import ASSERTED, PREFERRED, screen
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.proxy.record_route import Ends
from sipengine.services.proxy.session_timer import SessionTimers
from sipengine.services.proxy.targets import Target
from sipengine.services.proxy.validation import Validation
from sipengine.services.replies import reply
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.transaction.non_invite_server import NonInviteServer


class Dialogs:
    """Finds the call of a request, or our note, and hands it to the proxy."""

    def __init__(
        self,
        proxy: Proxy,
        calls: Calls,
        sessions: SessionTimers,
        validation: Validation,
        answers: OwnAnswers,
    ) -> None:
        self._trusted: frozenset[str] = frozenset()
        self._sessions = sessions
        self._layer = proxy.layer
        self._calls = calls
        self._proxy = proxy
        self._record_route = proxy.record_route
        self._validation = validation
        self._answers = answers

    def set_config(self, trusted: frozenset[str]) -> None:
        """Believe these servers' word of who somebody is from now on (RFC 3325)."""
        self._trusted = trusted

    def receive(
        self,
        message: Message,
        flow: Flow,
        reply_flow: Flow,
        key: str,
        route: str | None,
        loop_hash: int,
        now: float,
    ) -> None:
        """Any request but ACK and CANCEL. `route` is our own Route that was on top, if there was one."""
        found = self._find(message, route)
        if found is None:
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
        call, from_caller, heard, ends = found
        if call is not None:
            call.heard_from(message.from_tag, from_caller, flow, now)
        if message.has(ASSERTED) or message.has(PREFERRED):
            screen(message, flow, self._trusted)
        target = self._proxy.in_dialog_target(message, ends, heard, from_caller, now)
        session = None
        if (
            message.method in ("INVITE", "UPDATE")
            and call is not None
            and self._sessions.concerns(message)
        ):
            session = self._sessions.ask(message, call.domain)
            session.call = call
        crossing = None
        if self._proxy.anchors is not None:
            crossing = self._crossing(message, route, from_caller, flow)
        speaker = None if crossing is None else crossing.speaker
        if message.method == "INVITE":
            server = invite_server(self._layer, key, reply_flow, message, speaker, now)
            server.respond(100, reply(message, 100), now)
            self._proxy.relay_invite(
                server, message, flow, target, loop_hash, now, session, crossing
            )
            return
        if message.method == "REFER" and call is not None:
            refer_to = message.value("Refer-To") or ""
            self._proxy.transfers.asked(refer_to, call, from_caller, now)
        ending = None  # the call that this BYE ends
        if message.method == "BYE":
            if call is not None and _is_of_call(message, call, from_caller):
                ending = call
            if crossing is not None:
                crossing.end(call)
                crossing = None
        other = other_server(self._layer, key, reply_flow, message, speaker, now)
        if crossing is not None and message.method in ("INFO", "NOTIFY"):
            if message.method == "NOTIFY":
                crossing.hearer.answers(message)
            elif self._play_key(other, message, target, loop_hash, crossing):
                return
        self._proxy.relay(
            other, message, target, loop_hash, ending, from_caller, now, session, crossing
        )

    def _play_key(
        self, server: NonInviteServer, message: Message, target: Target, loop_hash: int,
        crossing: Crossing,
    ) -> bool:  # fmt: skip
        """Have the gateway play the key that an INFO tells; False if it is to go on as it is."""
        key = key_in(message)
        anchor = crossing.anchor
        if key is None or anchor is None or not crossing.hearer.events:
            return False

        def onward(now: float) -> None:
            self._proxy.relay(server, message, target, loop_hash, None, crossing.from_caller, now)

        waiter = PlayedKey(server, message, onward)
        crossing.anchors.play_key(anchor, message.from_tag, key, waiter)
        return True

    def _crossing(
        self, message: Message, route: str | None, from_caller: bool, flow: Flow | None
    ) -> Crossing | None:
        """The way of the dialog's media, if our note says that a gateway carries it."""
        anchors = self._proxy.anchors
        if anchors is None or route is None or "!g" not in route:
            return None
        ends = self._ends(message, route)
        if ends is None or not ends.media:
            return None
        caller_tag = message.from_tag if from_caller else message.to_tag
        anchor = anchors.of_note(ends.media, message.call_id, caller_tag)
        return (
            None
            if anchor is None
            else Crossing(anchors, anchor, from_caller, flow.remote[0] if flow is not None else "")
        )

    def receive_ack(self, message: Message, now: float) -> None:
        """An ACK of no transaction: of a 2xx it goes on, of our own stateless answer it ends here."""
        if self._answers.is_own_tag(message.to_tag):
            return
        route = pop_own_routes(message, self._validation.is_own_route)
        found = self._find(message, route)
        if found is None:
            self._answers.count("stray_acks")
            return
        call, from_caller, heard, ends = found
        if call is not None:
            call.acknowledged = True
        loop_hash = self._validation.check(message)
        target: Target = self._proxy.in_dialog_target(message, ends, heard, from_caller, now)
        crossing = None
        if self._proxy.anchors is not None:
            crossing = self._crossing(message, route, from_caller, None)
            if crossing is not None:
                crossing.speaker.seen(message)
        self._proxy.forward_ack(message, target, loop_hash, crossing)

    def _find(
        self, message: Message, route: str | None
    ) -> tuple[Call | None, bool, Flow | None, Ends | None] | None:
        """(call, whether its caller speaks, the flow the other side was last heard on, our note).

        None if there is neither call nor note. Nothing was heard of the other side of an early
        dialog, of a second one of a fork, or of a call of an earlier process: there the note tells.
        """
        found = self._calls.find(message.call_id, message.from_tag, message.to_tag)
        if found is None:
            ends = self._ends(message, route)
            return None if ends is None else (None, ends.from_caller, None, ends)
        call, from_caller = found
        heard = call.caller_flow
        if from_caller:
            heard = call.callee_flow if message.to_tag == call.callee_tag else None
        return call, from_caller, heard, self._ends(message, route) if heard is None else None

    def _ends(self, message: Message, route: str | None) -> Ends | None:
        if route is None:
            return None
        note = self._record_route.note_of(route)
        if note is None:
            note = parse_address(route).uri.parameter("f")
        if not note:
            return None
        try:
            return self._record_route.read(note, message.call_id, message.from_tag, message.to_tag)
        except (KeyError, ValueError):
            return None


def _is_of_call(message: Message, call: Call, from_caller: bool) -> bool:
    """Whether a BYE ends the call itself, not a second dialog of its fork."""
    callee_tag = message.to_tag if from_caller else message.from_tag
    return not call.callee_tag or call.callee_tag == callee_tag
