"""Two sessions of ours that are one call: what one side wants is passed on to the other.

Descriptions go through as they are but for their o= line and, where it must be, the order of
their streams. One change at a time: whoever wants another meanwhile gets 491 and tries again.
"""

from __future__ import annotations

from typing import Final

from sipengine.services.ua.referrals import Referral
from sipengine.services.ua.session import Session
from sipengine.sip.message import Message
from sipengine.sip.sdp.alignment import align, align_answer
from sipengine.sip.sdp.description import Description

MAX_ROUNDS: Final = 4
"""Offers by which two phones hear where the other listens now: one that changes that with each answer
would have them for ever."""


class BackToBack:
    """Passes offers, answers and INFO between `one` and `other`, once both stand."""

    def __init__(self, one: Session, other: Session) -> None:
        self._one = one
        self._other = other
        self._asker: Session | None = None  # whose offer, or wish for one, is on its way
        self._offer: Description | None = None  # what is to be answered, as it came
        self._origins: list[int] = []
        self._restored: Session | None = None  # who is offered what its peer has, and nobody asked
        self._rounds = 0

    def peer(self, session: Session) -> Session:
        return self._other if session is self._one else self._one

    def replace(self, old: Session, new: Session) -> None:
        """`new` is that side from now on."""
        if self._one is old:
            self._one = new
        else:
            self._other = new

    def refer(self, session: Session, referral: Referral, now: float) -> None:
        """`session` wants its peer to call somebody: the peer's phone is told to (RFC 3515)."""

        def told(status: int, over: bool, now: float) -> None:
            referral.tell(503 if over and status < 200 else status, now)

        self.peer(session).referrals.send(f"<{referral.target}>", told, now, [])

    def offered(self, session: Session, offer: Description | None, now: float) -> None:
        """`session` offers, or asks for an offer (None)."""
        peer = self.peer(session)
        if self._asker is peer and offer is not None and self._offer is None:
            if peer.owes_answer:
                self._pass_on_wanted(peer, session, offer, now)
            elif peer.free:  # who asked for it has taken that back
                self.pass_on(session, offer, now, insist=True)
            else:
                session.refuse(491, now)
        elif self._asker is not None or not peer.free:
            session.refuse(491, now)
        elif offer is None:
            self._asker = session
            peer.offer(None, now)
        else:
            self.pass_on(session, offer, now)

    def pass_on(
        self, session: Session, offer: Description, now: float, insist: bool = False
    ) -> None:
        """Offer to the peer what `session` offers; the peer must be `free`."""
        peer = self.peer(session)
        self._asker = session
        self._offer = offer
        aligned, self._origins = align(offer, peer.negotiation.remote)
        peer.offer(aligned, now, insist)

    def _pass_on_wanted(
        self, asker: Session, giver: Session, offer: Description, now: float
    ) -> None:
        """The offer that `asker` asked for: it goes into the 2xx, its ACK brings the answer."""
        self._asker = giver
        self._offer = offer
        aligned, self._origins = align(offer, asker.negotiation.remote)
        asker.answer(aligned, now)

    def answered(self, session: Session, answer: Description, now: float) -> bool:
        """`session` answered what was passed on to it; whether somebody waited for that."""
        asker, offer = self._asker, self._offer
        if asker is None:
            if session is not self._restored:  # a mere refresh, and its phone has moved
                self._rounds = MAX_ROUNDS
            self._restored = None
            self._tell_changed(session, answer, now)
        if asker is None or offer is None or asker is session:
            return False
        self._asker = self._offer = None
        if not asker.owes_answer:
            self._restore(session, now)
            return False
        asker.answer(align_answer(answer, self._origins, offer), now)
        return True

    def withdrawn(self, session: Session, now: float) -> None:
        """`session` needs no answer to its offer any more: the peer's is not wanted either."""
        if self._asker is session:
            self.peer(session).withdraw(now)

    def _restore(self, session: Session, now: float) -> None:
        """Offer to `session`, which took an offer that had been withdrawn, what its peer still has."""
        peer = self.peer(session)
        present = peer.negotiation.remote
        if present is not None and not peer.ended and session.free:
            self._restored, self._rounds = session, MAX_ROUNDS
            session.offer(align(present, session.negotiation.remote)[0], now, insist=True)

    def _tell_changed(self, session: Session, answer: Description, now: float) -> None:
        """`session` answered that; if its phone listens elsewhere than its peer was told, that is told."""
        peer = self.peer(session)
        present = align(answer, peer.negotiation.remote)[0]
        told = peer.negotiation.local
        if self._rounds and peer.free and (told is None or told.places != present.places):
            self._restored = peer
            self._rounds -= 1
            peer.offer(present, now, insist=True)

    def refused(self, session: Session, status: int, now: float) -> None:
        """`session` did not take what was passed on to it."""
        if session is self._restored:
            self._restored = None
        asker = self._asker
        self._asker = self._offer = None
        if asker is not None and asker is not session:
            asker.refuse(status, now)

    def info(self, session: Session, message: Message, now: float) -> None:
        """INFO carries key presses of old phones: they go across."""
        peer = self.peer(session)
        if peer.established and not peer.ended:
            kind = message.value("Content-Type") or "application/octet-stream"
            package = message.value("Info-Package")
            headers = [("Info-Package", package)] if package else []
            peer.request("INFO", headers, now, _unheard, message.body, kind)


def _unheard(status: int, response: Message | None, now: float) -> None:
    """The INFO was answered for its sender already."""
