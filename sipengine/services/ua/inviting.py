"""An INVITE of ours and the answers to it (RFC 3261 §13.2, §14.1): a session's client half."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sipengine.services.proxy.branch import NOBODY
from sipengine.services.ua.alarm import Alarm
from sipengine.services.ua.by_gateway import ByGateway
from sipengine.services.ua.carrier import Carrier
from sipengine.services.ua.composing import (
    CAPABILITIES,
    WITHOUT_RELIABLE,
    Headers,
    options,
    parse_response,
    request,
)
from sipengine.services.ua.invite_outcome import (
    early_answer,
    forget_early,
    invite_accepted,
    invite_failed,
    offer_to_prack,
)
from sipengine.services.ua.reliable import ReliableReceiver
from sipengine.services.ua.session_timer import MIN_SE, asked_for, interval_of
from sipengine.sip.dialog import Dialog, dialog_of_response
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.sdp.description import Description
from sipengine.sip.timers import TIMER_C

if TYPE_CHECKING:
    from sipengine.services.ua.session import Session

MAX_EARLY: Final = 16
"""Early dialogs of one INVITE: more phones than that ring unseen."""
MAX_FORKS: Final = 16
"""Phones that answer one INVITE; more than that are not even told that they are too late."""
MAX_TRIES: Final = 4
"""INVITEs in a row: one for a challenge, others for 422."""


class Invitation(NamedTuple):
    """Whom to invite, and as whom. `sender` and `to` are From and To without tags."""

    uri: str
    sender: str
    to: str
    headers: tuple[tuple[str, str], ...] = ()


class Inviting:
    """The user of the client transactions of one INVITE, sent again for a challenge or a 422."""

    __slots__ = (
        "_acks", "_alarm", "_cancelled", "_carrier", "_interval", "_invitation", "_proof", "_receivers", "_session",
        "_tries", "body", "early", "final", "is_refresh", "offer", "sent",
    )  # fmt: skip

    def __init__(
        self,
        session: Session,
        carrier: Carrier,
        offer: Description | None,
        invitation: Invitation | None = None,
        is_refresh: bool = False,
    ) -> None:
        """`invitation` is given for the INVITE that begins the session."""
        self._session = session
        self._carrier = carrier
        self._invitation = invitation
        self.offer = offer
        self.body = "" if offer is None else session.signed(offer)
        self.is_refresh = is_refresh
        self._interval = session.agent.interval
        self._proof: Headers = []
        self._tries = 0
        self._cancelled = False
        self.final = False
        self.sent: Message
        self.early: dict[str, Dialog] = {}
        self._receivers: dict[str, ReliableReceiver] = {}
        self._acks: dict[str, tuple[Flow, bytes]] = {}
        self._alarm = Alarm(session.agent.layer.timers, self._too_long)

    @property
    def initial(self) -> bool:
        return self._invitation is not None

    @property
    def flow(self) -> Flow | None:
        return self._carrier.flow

    def gateway_of(self, session: Session) -> ByGateway | None:
        """The way of the session's media, if whoever answered speaks by a gateway."""
        anchor, anchors = self._carrier.anchor, session.agent.anchors
        return None if anchor is None or anchors is None else ByGateway(session, anchors, anchor)

    def send(self, now: float) -> None:
        session = self._session
        self._tries += 1
        reliable = self.initial and self._carrier.knows_early_peers
        known = CAPABILITIES if reliable else WITHOUT_RELIABLE
        headers: Headers = [("Contact", session.contact), *known, *self._proof]
        invitation = self._invitation
        if invitation is None:
            agreed = session.timer.agreement
            refresher = "" if agreed is None else "uac" if agreed.we_refresh else "uas"
            headers += asked_for(self._interval, session.timer.least, refresher)
            self.sent = session.compose("INVITE", headers, self.body)
        else:
            headers += [*asked_for(self._interval, session.timer.least), *invitation.headers]
            self.sent = request(
                "INVITE",
                invitation.uri,
                [
                    ("From", f"{invitation.sender};tag={session.local_tag}"),
                    ("To", invitation.to),
                    ("Call-ID", session.call_id),
                    ("CSeq", f"{self._tries} INVITE"),
                    *headers,
                ],
                self.body,
            )
        self._carrier.send(self.sent, self, now)

    def cancel(self, reason: str, now: float) -> None:
        if not self.final:
            self._cancelled = True
            self._carrier.cancel(reason, now)

    # -- ClientUser

    def on_response(self, status: int, data: bytes, now: float) -> None:
        response = parse_response(data)
        if response is None:
            if status >= 200:
                self._failed(500, None, now)
            return
        if status < 200:
            self._carrier.provisional(now)
            if not (self.initial or self.final or self._alarm.due):
                self._alarm.start(TIMER_C, now)
            if status > 100 and not self.final:
                self._provisional(response, now)
        elif status < 300:
            self._success(response, now)
        elif not self.final and not self._again(response, now):
            self._failed(status, response, now)

    def on_timeout(self, now: float) -> None:
        self._failed(408, None, now)

    def on_transport_error(self, now: float) -> None:
        self._failed(503, None, now)

    def _too_long(self, now: float) -> None:
        """A re-INVITE of ours was answered provisionally and never finally: §14.1 sets no limit, and until
        there is an answer neither side can change anything."""
        self.cancel("", now)

    def _failed(self, status: int, response: Message | None, now: float) -> None:
        if not self.final:
            self.final = True
            self._alarm.stop()
            if self._cancelled and self.initial:
                status = 487
            invite_failed(self._session, self, status, response, now)

    def _again(self, response: Message, now: float) -> bool:
        """Send the INVITE again with credentials, or for a longer interval; whether that was done."""
        if self._cancelled or self._session.ended or self._tries >= MAX_TRIES:
            return False
        if response.status in (401, 407) and not self._proof:
            proof = self._session.proof(response, "INVITE", self.sent.uri)
            if proof is None:
                return False
            self._proof = [proof]
        elif response.status == 422:  # RFC 4028 §7.3
            try:
                least, _ = interval_of(response, "Min-SE")
            except RemoteProtocolError:
                return False
            if least <= self._interval:
                return False
            self._interval = self._session.timer.least = max(MIN_SE, least)
        else:
            return False
        self._alarm.stop()
        self.early.clear()
        self._receivers.clear()
        forget_early(self._session, self)
        self.send(now)
        return True

    # -- provisional

    def _provisional(self, response: Message, now: float) -> None:
        session = self._session
        tag = response.to_tag
        if tag and self.initial:
            dialog = self.early.get(tag)
            if dialog is None and len(self.early) < MAX_EARLY:
                try:
                    dialog = dialog_of_response(self.sent, response)
                except RemoteProtocolError:
                    return  # what it says cannot be used; the final answer will tell
                self.early[tag] = dialog
            if dialog is not None and "100rel" in options(response, "Require"):
                receiver = self._receivers.setdefault(tag, ReliableReceiver())
                if not receiver.is_new(response):
                    return
                self._prack(dialog, response, now)
            elif dialog is not None and self.offer is not None:
                early_answer(session, self, dialog, response, now)
        session.user.on_progress(session, response.status, now)

    def _prack(self, dialog: Dialog, response: Message, now: float) -> None:
        """Acknowledge a reliable response (RFC 3262 §4), in the PRACK also an offer in it (RFC 3262 §5)."""
        session = self._session
        rack = f"{response.value('RSeq')} {self.sent.cseq} INVITE"
        if (
            self.offer is None
            and response.body
            and offer_to_prack(session, dialog, response, rack, now)
        ):
            return
        if self.offer is not None:
            early_answer(session, self, dialog, response, now)
        self.send_prack(dialog, rack, "", now)

    def send_prack(self, dialog: Dialog, rack: str, body: str, now: float) -> None:
        session = self._session
        message = session.compose("PRACK", [("RAck", rack)], body, dialog=dialog)
        session.agent.send(message, session.heard or self.flow, NOBODY, now)

    # -- 2xx

    def _success(self, response: Message, now: float) -> None:
        tag = response.to_tag
        known = self._acks.get(tag)
        if known is not None:  # §13.2.2.4: each retransmission of the 2xx gets the ACK again
            self._session.agent.layer.out.append(known)
            return
        if not self.final:
            self.final = True
            self._alarm.stop()
            invite_accepted(self._session, self, response, self._cancelled, now)
        elif self.initial and tag not in self._session.tags and len(self._acks) < MAX_FORKS:
            self._end_fork(response, now)

    def _end_fork(self, response: Message, now: float) -> None:
        """Another branch of a fork answered as well: its dialog is ended at once (§13.2.2.4)."""
        try:
            dialog = dialog_of_response(self.sent, response)
        except RemoteProtocolError:
            return  # without an address there is nobody to tell
        self.acknowledge(dialog, "")
        session = self._session
        bye = session.compose("BYE", [], "", dialog=dialog)
        session.agent.send(bye, None, NOBODY, now)

    def acknowledge(self, dialog: Dialog, body: str) -> None:
        """Send the ACK of a 2xx and keep it for the 2xx's retransmissions."""
        session = self._session
        message = session.compose("ACK", [], body, dialog=dialog, number=self.sent.cseq)
        sent = session.agent.send_ack(message, session.heard)
        if sent is not None:
            self._acks[dialog.remote_tag] = sent
