"""Requests of the peer within a session (RFC 3261 §12.2.2, §14.2, §15.1.2; RFC 3262, RFC 3311)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.methods import METHODS as METHODS_OF_SIP
from sipengine.services.replies import reply
from sipengine.services.ua.alarm import Alarm
from sipengine.services.ua.answering import Answering
from sipengine.services.ua.by_gateway import tell_answer, tell_offer
from sipengine.services.ua.composing import CAPABILITIES, SDP, Headers, answer, description_in
from sipengine.services.ua.ending import Ending
from sipengine.services.ua.owed import BY_INVITE, BY_UPDATE
from sipengine.services.ua.session_timer import answered
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.offer_answer import OFFERED, STABLE
from sipengine.sip.sdp.description import parse_description
from sipengine.sip.transaction.invite_server import InviteServer
from sipengine.sip.transaction.non_invite_server import NonInviteServer

if TYPE_CHECKING:
    from sipengine.services.ua.session import Session

UPDATE_LASTS: Final = 24.0
"""Seconds that an offer in an UPDATE or PRACK may wait: its sender gives up after 32 (Timer F)."""


def receive_invite(
    session: Session, message: Message, flow: Flow, server: InviteServer, now: float
) -> None:
    """A re-INVITE. Raises `RemoteProtocolError` for what is refused."""
    dialog = session.dialog
    assert dialog is not None
    if session.ended:  # RFC 5407 §3.2.2: our BYE and this one crossed
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    dialog.check_seq(message.cseq)
    inviting, answering = session.inviting, session.answering
    if inviting is not None and not inviting.final:
        raise RemoteProtocolError(491, "Request Pending")
    if answering is not None:
        if not answering.final:
            raise RemoteProtocolError(500, "Server Internal Error: an INVITE is being answered")
        if answering.unacknowledged:
            if session.negotiation.state != STABLE:  # RFC 5407 §3.1.5: its ACK brings an answer
                raise RemoteProtocolError(491, "Request Pending")
            answering.acknowledged()  # RFC 5407 §3.1.4: who sends this has had our 2xx
            session.acknowledged(now)
            if session.ended:
                raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    _check_gateway(session)
    answered(message, session.agent.interval)  # 422
    target = dialog.target_in(message)
    text = description_in(message)
    if text:
        session.negotiation.receive_offer(parse_description(text))
    elif session.negotiation.state != STABLE:
        raise RemoteProtocolError(491, "Request Pending")
    session.heard = flow
    dialog.remote_target = target
    session.note_peer(message)
    session.answering = Answering(session, message, server, initial=False)
    session.owed = BY_INVITE
    tell_offer(session, session.offered, now)
    if session.owed:
        server.respond(100, reply(message, 100), now)


def receive_other(
    session: Session, message: Message, flow: Flow, server: NonInviteServer, now: float
) -> None:
    """Any other request. Raises `RemoteProtocolError` for what is refused."""
    dialog = session.dialog
    assert dialog is not None
    method = message.method
    if session.ended:
        if method != "BYE":
            raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
        server.respond(200, answer(message, 200, []), now)  # RFC 5407 §3.2.1: both hung up
        return
    dialog.check_seq(message.cseq)
    session.heard = flow
    if method == "BYE":
        _bye(session, message, server, now)
    elif method == "UPDATE":
        _update(session, message, server, now)
    elif method == "PRACK":
        _prack(session, message, server, now)
    elif method == "INFO":
        server.respond(200, answer(message, 200, []), now)
        session.user.on_info(session, message, now)
    elif method == "OPTIONS":
        server.respond(200, answer(message, 200, [*CAPABILITIES, ("Accept", SDP)]), now)
    elif method == "REFER":
        session.referrals.asked(message, server, now)
    elif method == "NOTIFY":
        session.referrals.notified(message, server, now)
    elif method in METHODS_OF_SIP:
        raise RemoteProtocolError(405, "Method Not Allowed")
    else:
        raise RemoteProtocolError(501, "Not Implemented")


def _check_gateway(session: Session) -> None:
    """Raises `RemoteProtocolError` 491 while an offer or answer of ours goes by the gateway: one that came
    now would be taken for that."""
    way = session.by_gateway
    if way is not None and way.busy and session.negotiation.state == STABLE:
        raise RemoteProtocolError(491, "Request Pending")


def _bye(session: Session, message: Message, server: NonInviteServer, now: float) -> None:
    server.respond(200, answer(message, 200, []), now)
    answering = session.answering
    if answering is not None:
        answering.refuse(487, [], "", now)  # nothing, if it is answered
    if session.inviting is not None and not session.inviting.final and session.inviting.initial:
        session.end(now)  # a BYE that §15 forbids it: no other phone need ring on
        return
    was_up = answering is None or not answering.initial or answering.status == 200
    session.finish(Ending(200 if was_up else 487, True), now)


def _update(session: Session, message: Message, server: NonInviteServer, now: float) -> None:
    assert session.dialog is not None
    answered(message, session.agent.interval)  # 422
    target = session.dialog.target_in(message)
    text = description_in(message)
    if text:
        _check_gateway(session)
        _check_update(session)
        session.negotiation.receive_offer(parse_description(text))  # 491, 500 (RFC 3311 §5.2)
    session.dialog.remote_target = target
    session.note_peer(message)
    _take_offer(session, bool(text), message, server, now)


def _check_update(session: Session) -> None:
    """Raises `RemoteProtocolError` for an offer in an UPDATE while an INVITE without one is answered:
    491 for ours, whose 2xx brings an offer, 500 for the peer's, which asks for ours (RFC 3311 §5.1)."""
    inviting, answering = session.inviting, session.answering
    if inviting is not None and not inviting.final and not inviting.initial:
        raise RemoteProtocolError(491, "Request Pending")
    if answering is None or answering.final or session.negotiation.state != STABLE:
        return
    if not answering.initial or session.negotiation.remote is None:
        raise RemoteProtocolError(500, "Server Internal Error: an INVITE is being answered")


def _prack(session: Session, message: Message, server: NonInviteServer, now: float) -> None:
    answering = session.answering
    if answering is None:
        raise RemoteProtocolError(481, "Call/Transaction Does Not Exist")
    text = description_in(message)
    answering.pracked(message.value("RAck") or "")
    try:
        if session.negotiation.state == OFFERED:
            _take_answer(session, text, message, server, now)
            return
        if text:
            session.negotiation.receive_offer(parse_description(text))
        _take_offer(session, bool(text), message, server, now)
    finally:
        answering.go_on(now)


def _take_answer(
    session: Session, text: str, message: Message, server: NonInviteServer, now: float
) -> None:
    """The PRACK's answer to our offer (RFC 3262 §5). Raises `RemoteProtocolError` for one that is none, and
    ends the session, which has no media then."""
    try:
        given = parse_description(text)
        session.negotiation.receive_answer(given)
    except RemoteProtocolError as error:
        session.end(now, f"its phone's session description is of no use: {error.reason}")
        raise
    server.respond(200, answer(message, 200, []), now)
    tell_answer(session, given, now)


def _take_offer(
    session: Session, has_offer: bool, message: Message, server: NonInviteServer, now: float
) -> None:
    if has_offer:
        session.owed = BY_UPDATE
        session.owed_update = server, message
        _Overdue(session, server, now)
        tell_offer(session, session.offered, now)
    else:
        answer_update(session, server, message, "", now)


class _Overdue:
    """The limit of an UPDATE whose answer another phone must give (RFC 3311 §5.2)."""

    __slots__ = ("_server", "_session")

    def __init__(self, session: Session, server: NonInviteServer, now: float) -> None:
        self._session = session
        self._server = server
        Alarm(session.agent.layer.timers, self._over).start(UPDATE_LASTS, now)

    def _over(self, now: float) -> None:
        session, owed = self._session, self._session.owed_update
        if owed is not None and owed[0] is self._server:
            session.refuse(504, now, "Server Time-out: the other side does not answer")
            session.user.on_offer_withdrawn(session, now)


def answer_update(
    session: Session, server: NonInviteServer, message: Message, body: str, now: float
) -> None:
    """200 to an UPDATE or PRACK, with our answer if it offered."""
    headers: Headers = []
    if message.method == "UPDATE":
        agreement, agreed = answered(message, session.agent.interval)
        if session.dialog is not None and session.established:
            session.timer.start(agreement, now)
        headers = [("Contact", session.contact), *CAPABILITIES, *agreed]
    server.respond(200, answer(message, 200, headers, body=body), now)


def receive_ack(session: Session, message: Message, now: float) -> None:
    """The ACK of our 2xx, with the answer if the 2xx offered (§13.3.1.4)."""
    answering = session.answering
    if answering is None or not answering.unacknowledged or session.ended:
        return
    if message.cseq != answering.request.cseq:
        return
    answering.acknowledged()
    if session.negotiation.state != OFFERED:
        session.acknowledged(now)
        return
    try:
        given = parse_description(description_in(message))
        session.negotiation.receive_answer(given)
    except RemoteProtocolError as error:
        session.end(now, f"its phone's session description is of no use: {error.reason}")
        return
    session.acknowledged(now)
    if not session.ended:
        tell_answer(session, given, now)
