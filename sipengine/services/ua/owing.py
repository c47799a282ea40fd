"""The answer that we owe the peer for an offer, given or refused (RFC 3264 §6; RFC 6337 §2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipengine.services.ua.composing import answer
from sipengine.services.ua.owed import BY_ACK, BY_INVITE, BY_PRACK, BY_UPDATE, NOTHING
from sipengine.services.ua.receiving import answer_update
from sipengine.services.ua.refusing import refusal_headers
from sipengine.services.ua.session_timer import answered
from sipengine.sip.offer_answer import ASKED
from sipengine.sip.sdp.answering import held_answer
from sipengine.sip.sdp.description import Description

if TYPE_CHECKING:
    from sipengine.services.ua.session import Session


def answer_offer(session: Session, description: Description, now: float) -> None:
    """Send the answer by whichever message it must go; nothing if none is owed any more."""
    owed, session.owed = session.owed, NOTHING
    if session.ended or not owed:
        return
    if session.negotiation.state == ASKED:
        session.negotiation.send_answer(description)
    else:
        session.negotiation.send_offer(description)
    body = session.signed(description)
    answering, inviting = session.answering, session.inviting
    if owed == BY_INVITE and answering is not None:
        agreement, headers = answered(answering.request, session.agent.interval)
        session.timer.start(agreement, now)
        answering.accept(body, headers, now)
    elif owed == BY_UPDATE and session.owed_update is not None:
        server, message = session.owed_update
        session.owed_update = None
        answer_update(session, server, message, body, now)
    elif owed == BY_ACK and inviting is not None and session.dialog is not None:
        inviting.acknowledge(session.dialog, body)
        session.stand(now)
    elif owed == BY_PRACK and session.owed_prack is not None and inviting is not None:
        dialog, rack = session.owed_prack
        session.owed_prack = None
        inviting.send_prack(dialog, rack, body, now)


def refuse_offer(session: Session, status: int, now: float, reason: str) -> None:
    """Do not take the offer. What cannot be refused (RFC 3261 §13.2.2.4, RFC 3262 §5) is answered with
    nothing flowing, and the session is ended."""
    owed = session.owed
    if session.ended or not owed:
        return
    if owed in (BY_ACK, BY_PRACK):
        offer = session.negotiation.offer
        if offer is not None:
            answer_offer(session, held_answer(offer), now)
        session.end(now, reason)
        return
    session.owed = NOTHING
    if session.negotiation.state == ASKED:
        session.negotiation.give_up()
    if owed == BY_INVITE and session.answering is not None:
        headers = refusal_headers(session.answering.request, status)
        session.answering.refuse(status, headers, reason, now)
    elif session.owed_update is not None:
        server, message = session.owed_update
        session.owed_update = None
        headers = refusal_headers(message, status)
        server.respond(status, answer(message, status, headers, reason=reason), now)
