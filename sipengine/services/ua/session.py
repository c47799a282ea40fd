"""One INVITE session of ours with one peer (RFC 3261 §12-§15, RFC 3264, RFC 3311, RFC 4028).

The application (`SessionUser`) says what to offer and to answer, when to accept and to end. The
session does what the protocol wants: who may offer when, retransmissions, glare, refreshes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.services.ua.answering import Answering
from sipengine.services.ua.by_gateway import ByGateway
from sipengine.services.ua.carrier import Carrier, DirectCarrier
from sipengine.services.ua.composing import CAPABILITIES, SDP, Headers, answer, request
from sipengine.services.ua.credentials import Credentials
from sipengine.services.ua.ending import Ending
from sipengine.services.ua.exchange import Done, Exchange
from sipengine.services.ua.glare import Glare
from sipengine.services.ua.invite_outcome import update_answered
from sipengine.services.ua.inviting import Invitation, Inviting
from sipengine.services.ua.owed import BY_ACK, NOTHING
from sipengine.services.ua.owing import answer_offer, refuse_offer
from sipengine.services.ua.peer import Peer
from sipengine.services.ua.referrals import Referrals
from sipengine.services.ua.refusing import refusal_headers
from sipengine.services.ua.session_timer import SessionTimer, answered
from sipengine.services.ua.session_user import SessionUser
from sipengine.sip.dialog import CONFIRMED, EARLY, Dialog
from sipengine.sip.errors import LocalProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.offer_answer import ASKED, STABLE, Negotiation
from sipengine.sip.sdp.answering import Origin, held_answer
from sipengine.sip.sdp.description import Description
from sipengine.sip.transaction.non_invite_server import NonInviteServer

if TYPE_CHECKING:
    from sipengine.services.ua.agent import UserAgent


class Session:
    """`user` may be changed by the application; `tags` are the peer's, of all dialogs."""

    def __init__(
        self,
        agent: UserAgent,
        user: SessionUser,
        call_id: str,
        name: str,
        credentials: Credentials | None = None,
    ) -> None:
        """`name` is the user part of our Contact."""
        self.agent = agent
        self.user = user
        self.call_id = call_id
        self.name = name
        self.local_tag = agent.names.tag()
        self.dialog: Dialog | None = None
        self.heard: Flow | None = None
        self.negotiation = Negotiation()
        self.timer = SessionTimer(self)
        self.referrals = Referrals(self)
        self.ended = False
        self.established = False
        self.caller: Message | None = None  # the INVITE that began it, if the peer sent it
        self.peer = Peer()
        self.allowed: frozenset[str] = frozenset()  # methods that the peer understands
        self.tags: set[str] = set()
        self._credentials = credentials
        self.origin = Origin(agent.names.session_number(), agent.place.host)
        self.answering: Answering | None = None
        self.inviting: Inviting | None = None
        self.negotiated_with = ""
        self.owed = NOTHING
        self.owed_update: tuple[NonInviteServer, Message] | None = None
        self.owed_prack: tuple[Dialog, str] | None = None
        self.glare = Glare(self)
        self.end_wanted: str | None = None
        self.by_gateway: ByGateway | None = None
        self.peer_name = ""  # the AOR of who took over a session

    # ------------------------------------------------------------------ what an application does

    def invite(
        self,
        invitation: Invitation,
        offer: Description | None,
        carrier: Carrier | None,
        now: float,
    ) -> None:
        """Call somebody, with an offer or asking for one."""
        if offer is not None:
            self.negotiation.send_offer(offer)
        inviting = Inviting(self, carrier or DirectCarrier(self.agent, None), offer, invitation)
        self.inviting = inviting
        inviting.send(now)

    @property
    def offered(self) -> Description | None:
        """The peer's offer that waits for our answer."""
        return self.negotiation.offer if self.negotiation.state == ASKED else None

    def progress(self, status: int, description: Description | None, now: float) -> None:
        """Answer the peer's first INVITE provisionally; `description` is the answer for early media."""
        answering = self.answering
        if answering is None or not answering.initial or answering.final:
            return
        body = ""
        if description is not None:
            state, known = self.negotiation.state, self.negotiation.remote is not None
            reliable = answering.can_be_reliable
            if state == ASKED:
                self.negotiation.send_answer(description)
                self.owed = NOTHING
                body = self.signed(description)
            elif reliable and state == STABLE and not known:  # RFC 3262 §5: it asked for an offer
                self.negotiation.send_offer(description)
                body = self.signed(description)
            elif known and not reliable:
                body = self.signed(description)  # the same again
        answering.progress(status, body, now)

    def accept(self, description: Description | None, now: float) -> None:
        """Answer the peer's first INVITE with 200. `description` is our answer to its offer, or our
        offer if it made none; None if it was answered in a reliable `progress`."""
        answering = self.answering
        if answering is None or not answering.initial or answering.final:
            return
        if self.by_gateway is not None and description is not None:
            self.by_gateway.give_answer(description, self._accept)
        else:
            self._accept(description, now)

    def _accept(self, description: Description | None, now: float) -> None:
        answering = self.answering
        if answering is None or answering.final:
            return
        agreement, headers = answered(answering.request, self.agent.interval)
        body = ""
        if description is not None:
            body = self.signed(description)
            if self.negotiation.state == ASKED:
                self.negotiation.send_answer(description)
            elif self.negotiation.state == STABLE and self.negotiation.remote is None:
                self.negotiation.send_offer(description)
            elif answering.can_be_reliable:
                body = ""  # RFC 6337 §3.1.1: the reliable answer was the answer
        self.owed = NOTHING
        assert self.dialog is not None
        self.dialog.state = CONFIRMED
        self.timer.start(agreement, now)
        answering.accept(body, headers, now)

    def reject(self, status: int, now: float, reason: str = "") -> None:
        """Answer the peer's first INVITE with 300-699, and the headers that go with it."""
        answering = self.answering
        if answering is not None and answering.initial and not answering.final:
            answering.refuse(status, refusal_headers(answering.request, status), reason, now)
            self.finish(Ending(status, False, reason), now)

    @property
    def free(self) -> bool:
        """Whether we may offer now: nothing is on its way in either direction."""
        dialog, inviting, answering = self.dialog, self.inviting, self.answering
        if self.ended or dialog is None or self.negotiation.state != STABLE or self.glare.waiting:
            return False
        if self.by_gateway is not None and self.by_gateway.busy:
            return False
        if dialog.state == EARLY:  # RFC 3311 §5.1: an UPDATE may follow an answered offer
            return self.negotiation.remote is not None
        return (inviting is None or inviting.final) and (
            answering is None or (answering.final and not answering.unacknowledged)
        )

    def offer(self, description: Description | None, now: float, insist: bool = False) -> None:
        """Offer anew, or with None ask the peer for an offer: by re-INVITE, in an early dialog by
        UPDATE. `insist`: again after glare (491). Raises `LocalProtocolError` unless `free`."""
        if not self.free or self.dialog is None:
            raise LocalProtocolError("an offer at a time when none may be made")
        self.glare.watch(description if insist else None)
        if self.by_gateway is not None and description is not None:
            self.by_gateway.give_offer(description, self._offer)
        else:
            self._offer(description, now)

    def _offer(self, description: Description | None, now: float) -> None:
        if not self.free or self.dialog is None:  # the gateway took a moment, the peer was faster
            if not self.glare.met(now):
                self.user.on_offer_refused(self, 491, now)
            return
        if description is not None:
            self.negotiation.send_offer(description)
        if self.dialog.state == CONFIRMED:
            self.reinvite(description, now, is_refresh=False)
        elif description is not None:
            headers = [("Contact", self.contact), *CAPABILITIES]
            body = self.signed(description)
            Exchange(self, "UPDATE", self._updated, headers, body).send(now)

    def answer(self, description: Description, now: float) -> None:
        """Answer what `SessionUser.on_offer` asked; our offer, if the peer asked for one."""
        answering = self.answering
        if not self.owed and answering is not None and answering.initial:
            self.accept(description, now)  # nothing, if it is answered
            return
        way = self.by_gateway
        if way is None or self.ended or not self.owed:
            self._answer(description, now)
        elif self.negotiation.state == ASKED:
            way.give_answer(description, self._answer)
        else:
            way.give_asked_offer(description, self._answer)

    def _answer(self, description: Description, now: float) -> None:
        answer_offer(self, description, now)

    def refuse(self, status: int, now: float, reason: str = "") -> None:
        """Do not take what `SessionUser.on_offer` asked; `refuse_offer` tells what becomes of it."""
        if self.owed:
            refuse_offer(self, status, now, reason)
        else:
            self.reject(status, now, reason)  # nothing, if its first INVITE is answered

    @property
    def owes_answer(self) -> bool:
        """Whether the peer still waits for what `SessionUser.on_offer` asked."""
        answering = self.answering
        unanswered = answering is not None and answering.initial and not answering.final
        return not self.ended and (bool(self.owed) or unanswered)

    def withdraw(self, now: float) -> None:
        """Take back our re-INVITE, whoever wanted it wants it no more; a final answer still comes."""
        if self.inviting is not None and not self.inviting.initial:
            self.inviting.cancel("", now)

    def request(
        self, method: str, headers: Headers, now: float, done: Done, body: str = "", kind: str = SDP
    ) -> None:
        """Send any other request in the dialog. An INFO or REFER for which the peer knows no dialog ends
        the session (§12.2.1.2). Interop: one that is not answered does not, old phones ignore INFO.
        """

        def told(status: int, response: Message | None, now: float) -> None:
            done(status, response, now)
            if status == 481 and method in ("INFO", "REFER"):
                self.lost(status, now)

        Exchange(self, method, told, headers, body, kind).send(now)

    def end(self, now: float, why: str = "", reason: str = "") -> None:
        """Be done with it: CANCEL, 480 or BYE, whichever is right. `reason` is a Reason header's value."""
        if self.ended:
            return
        answering, inviting = self.answering, self.inviting
        if inviting is not None and inviting.initial and not inviting.final:
            inviting.cancel(f"Reason: {reason}" if reason else "", now)
            return  # its final answer ends the session
        if answering is not None and answering.initial:
            if not answering.final:
                self.reject(480, now)
                return
            if answering.unacknowledged:  # §15: the callee's BYE waits for the ACK
                self.end_wanted = why
                return
        if self.owed == BY_ACK and self.negotiation.offer is not None:
            self._answer(held_answer(self.negotiation.offer), now)
        self.bye(reason, now)
        self.finish(Ending(200, False, why), now)

    # ------------------------------------------------------------------ for its own parts

    @property
    def contact(self) -> str:
        return self.peer.contact(self.agent.place.contact(self.heard, self.name))

    def signed(self, description: Description) -> str:
        return self.origin.sign(description)

    def proof(self, response: Message, method: str, uri: str = "") -> tuple[str, str] | None:
        """Credentials for a challenge, None if we have none."""
        if self._credentials is None:
            return None
        if not uri and self.dialog is not None:
            uri = self.dialog.remote_target
        return self._credentials.answer(response, method, uri)

    def compose(
        self,
        method: str,
        headers: Headers,
        body: str = "",
        kind: str = SDP,
        *,
        dialog: Dialog | None = None,
        number: int = 0,
    ) -> Message:
        """A request in the dialog (§12.2.1.1); `number` is given for an ACK."""
        dialog = dialog or self.dialog
        assert dialog is not None
        uri, routes = dialog.request_line_and_routes()
        lines = [("Route", route) for route in routes]
        lines += [
            ("From", dialog.local),
            ("To", dialog.remote),
            ("Call-ID", dialog.call_id),
            ("CSeq", f"{number or dialog.next_seq()} {method}"),
        ]
        lines += self.peer.name(self.local_tag)
        return request(method, uri, [*lines, *headers], body, kind)

    def _updated(self, status: int, response: Message | None, now: float) -> None:
        update_answered(self, status, response, now)

    def reinvite(self, description: Description | None, now: float, *, is_refresh: bool) -> None:
        carrier = DirectCarrier(self.agent, self.heard)
        self.inviting = Inviting(self, carrier, description, is_refresh=is_refresh)
        self.inviting.send(now)

    # ------------------------------------------------------------------ coming about and going

    def note_peer(self, message: Message) -> None:
        self.peer.note(message)
        if message.has("Allow"):
            self.allowed = frozenset(message.all("Allow"))

    def stand(self, now: float) -> None:
        if not self.established and not self.ended:
            self.established = True
            self.user.on_established(self, now)

    def lost(self, status: int, now: float) -> None:
        """A request was answered 481, or not at all: the peer is gone (§12.2.1.2)."""
        if self.ended:
            return
        if self.inviting is not None and self.inviting.initial and not self.inviting.final:
            self.end(now)  # an UPDATE of an early dialog: the other phones stop ringing as well
            return
        if status != 481:
            self.bye("", now)
        self.finish(Ending(200, True, "its phone does not answer any more"), now)

    def bye(self, reason: str, now: float) -> None:
        if self.dialog is not None:
            headers = [("Reason", reason)] if reason else []
            Exchange(self, "BYE", _nothing_more, headers).send(now)

    def finish(self, ending: Ending, now: float) -> None:
        """The session is over, whoever ended it."""
        if self.ended:
            return
        self.ended = True
        self.timer.stop()
        self.glare.stop()
        if self.answering is not None:
            self.answering.refuse(487, [], "", now)  # nothing, if it is answered
            self.answering.drop()
        if self.owed_update is not None:
            server, message = self.owed_update
            self.owed_update = None
            server.respond(481, answer(message, 481, []), now)
        if self.by_gateway is not None:
            self.by_gateway.end()
        self.agent.leave(self, now)
        self.user.on_ended(self, ending, now)

    def finish_unanswered(self, status: int, why: str, now: float) -> None:
        """The peer's first INVITE came to nothing: it gave up, or never confirmed the ringing."""
        self.finish(Ending(status, True, why), now)

    def offer_withdrawn(self, now: float) -> None:
        """The peer took back its re-INVITE; what was agreed before stays."""
        self.owed = NOTHING
        if self.negotiation.state == ASKED:
            self.negotiation.give_up()
        self.user.on_offer_withdrawn(self, now)

    def acknowledged(self, now: float) -> None:
        """The ACK of our 2xx came."""
        wanted = self.end_wanted
        if wanted is not None:
            self.end_wanted = None
            self.end(now, wanted)
        else:
            self.stand(now)


def _nothing_more(status: int, response: Message | None, now: float) -> None:
    """A BYE is done with, whatever its answer (§15.1.1)."""
