"""What the answers to our INVITE make of a session (RFC 3261 §13.2.2, §14.1; RFC 6337 §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.services.ua.by_gateway import tell_answer, tell_offer
from sipengine.services.ua.composing import description_in
from sipengine.services.ua.ending import Ending
from sipengine.services.ua.exchange import is_gone
from sipengine.services.ua.owed import BY_ACK, BY_PRACK
from sipengine.services.ua.session_timer import accepted
from sipengine.sip.dialog import Dialog, dialog_of_response
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.offer_answer import OFFERED, STABLE, Negotiation
from sipengine.sip.sdp.description import Description, parse_description

if TYPE_CHECKING:
    from sipengine.services.ua.inviting import Inviting
    from sipengine.services.ua.session import Session


def early_answer(
    session: Session, inviting: Inviting, dialog: Dialog, response: Message, now: float
) -> None:
    """A provisional answer to our offer: the first one counts (§13.2.1)."""
    negotiation = session.negotiation
    if negotiation.state != OFFERED or not response.body or session.ended:
        return
    try:
        description = parse_description(description_in(response))
        negotiation.receive_answer(description)
    except RemoteProtocolError:
        _renegotiate(session, inviting)  # as if it had said nothing: the 2xx may say it better
        return
    _enter_early(session, dialog)
    session.user.on_answer(session, description, now)


def offer_to_prack(
    session: Session, dialog: Dialog, response: Message, rack: str, now: float
) -> bool:
    """The peer's offer in a reliable provisional answer (RFC 3262 §5); whether it is one."""
    negotiation = session.negotiation
    if negotiation.state != STABLE or negotiation.remote is not None or session.ended:
        return False
    try:
        negotiation.receive_offer(parse_description(description_in(response)))
    except RemoteProtocolError:
        return False
    _enter_early(session, dialog)
    session.owed = BY_PRACK
    session.owed_prack = dialog, rack
    session.user.on_offer(session, negotiation.offer, now)
    return True


def _enter_early(session: Session, dialog: Dialog) -> None:
    session.negotiated_with = dialog.remote_tag
    session.dialog = dialog
    session.tags.add(dialog.remote_tag)


def forget_early(session: Session, inviting: Inviting) -> None:
    """The INVITE goes out again: what phones said to the one before counts no more."""
    if inviting.initial and session.negotiated_with:
        session.negotiated_with = ""
        session.dialog = None
        _renegotiate(session, inviting)


def _renegotiate(session: Session, inviting: Inviting) -> None:
    session.negotiation = Negotiation()
    if inviting.offer is not None:
        session.negotiation.send_offer(inviting.offer)


def invite_accepted(
    session: Session, inviting: Inviting, response: Message, cancelled: bool, now: float
) -> None:
    """The first 2xx to our INVITE."""
    session.heard = inviting.flow or session.heard
    session.note_peer(response)
    if inviting.initial:
        tag = response.to_tag
        try:
            dialog = inviting.early.get(tag)
            if dialog is None:
                dialog = dialog_of_response(inviting.sent, response)
            else:
                dialog.confirm(response)
        except RemoteProtocolError as error:
            session.finish(Ending(500, True, error.reason), now)
            return  # a 2xx without a usable address: no ACK could reach its sender
        session.dialog = dialog
        session.tags.add(tag)
        session.by_gateway = inviting.gateway_of(session)
        if session.negotiated_with not in ("", tag):
            _renegotiate(session, inviting)
        if cancelled or session.ended:
            # RFC 5407 §3.1.2: the answer crossed our CANCEL; it is taken and the session ended.
            inviting.acknowledge(dialog, "")
            session.bye("", now)
            session.finish(Ending(487, False), now)
            return
    else:
        dialog = session.dialog
        assert dialog is not None
        if session.ended:  # RFC 5407 §3.2.4: our BYE is on its way already
            inviting.acknowledge(dialog, "")
            return
        dialog.refresh(response)
    session.timer.start(accepted(response, session.agent.interval), now)
    _take_body(session, inviting, dialog, response, now)


def _take_body(
    session: Session, inviting: Inviting, dialog: Dialog, response: Message, now: float
) -> None:
    negotiation = session.negotiation
    before = negotiation.remote
    given: Description | None = None
    try:
        body = description_in(response)
        asked = inviting.offer is None and negotiation.state == STABLE
        if asked and (negotiation.remote is None or not inviting.initial):
            negotiation.receive_offer(parse_description(body))
            session.owed = BY_ACK
            if inviting.initial:  # the proxy has been by the gateway with it already
                session.user.on_offer(session, negotiation.offer, now)
            else:
                tell_offer(session, negotiation.offer, now)
            return
        if negotiation.state == OFFERED:
            given = parse_description(body)
            negotiation.receive_answer(given)
    except RemoteProtocolError as error:
        inviting.acknowledge(dialog, "")
        session.end(now, f"its phone's session description is of no use: {error.reason}")
        return
    inviting.acknowledge(dialog, "")
    session.stand(now)
    if given is None or session.ended:
        return
    moved = before is None or before.places != given.places
    # the gateway that speaks with a peer for us was not asked for the offer of a refresh
    if not inviting.is_refresh or (moved and session.by_gateway is None):
        if inviting.initial:
            session.user.on_answer(session, given, now)
        else:
            tell_answer(session, given, now)


def invite_failed(
    session: Session, inviting: Inviting, status: int, response: Message | None, now: float
) -> None:
    """A final answer of 300-699 to our INVITE, or none."""
    if session.ended:
        return
    if inviting.initial:
        session.finish(Ending(status, response is not None), now)
        return
    _offer_failed(session, status, response, inviting.is_refresh, now)


def update_answered(session: Session, status: int, response: Message | None, now: float) -> None:
    """The answer to an UPDATE of ours with an offer (RFC 3311 §5.1)."""
    if session.ended or session.negotiation.state != OFFERED:
        return
    if response is None or status >= 300:
        _offer_failed(session, status, response, False, now)
        return
    try:
        given = parse_description(description_in(response))
        session.negotiation.receive_answer(given)
    except RemoteProtocolError as error:
        session.end(now, f"its phone's session description is of no use: {error.reason}")
        return
    if session.dialog is not None:
        session.dialog.refresh(response)
    tell_answer(session, given, now)


def _offer_failed(
    session: Session, status: int, response: Message | None, is_refresh: bool, now: float
) -> None:
    if session.negotiation.state == OFFERED:
        session.negotiation.give_up()
    if is_gone(status, response):
        session.lost(status, now)
    elif is_refresh:
        session.timer.refused(now)
    elif status != 491 or not session.glare.met(now):
        session.user.on_offer_refused(session, status, now)
