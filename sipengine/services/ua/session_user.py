"""What an application hears of its sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sipengine.services.ua.ending import Ending
from sipengine.sip.message import Message
from sipengine.sip.sdp.description import Description

if TYPE_CHECKING:
    from sipengine.services.ua.referrals import Referral
    from sipengine.services.ua.session import Session


class SessionUser(Protocol):
    def on_progress(self, session: Session, status: int, now: float) -> None:
        """Our INVITE was answered provisionally (101-199)."""
        ...

    def on_established(self, session: Session, now: float) -> None:
        """The session stands: the peer's 2xx came, or its ACK of ours."""
        ...

    def on_offer(self, session: Session, offer: Description | None, now: float) -> None:
        """The peer offers, or asks for an offer (None). Owed, now or later: `session.answer` or
        `session.refuse`."""
        ...

    def on_answer(self, session: Session, answer: Description, now: float) -> None:
        """The peer answered our offer."""
        ...

    def on_offer_refused(self, session: Session, status: int, now: float) -> None:
        """The peer did not take our offer; what was agreed before stays."""
        ...

    def on_offer_withdrawn(self, session: Session, now: float) -> None:
        """What `on_offer` asked needs no answer any more (a CANCEL came, or it took too long)."""
        ...

    def on_info(self, session: Session, message: Message, now: float) -> None:
        """An INFO came; it has been answered 200."""
        ...

    def on_refer(self, session: Session, referral: Referral, now: float) -> int:
        """The peer wants us to call `referral.target` (RFC 3515 §2.4.2): the status of our answer."""
        ...

    def on_referred(self, session: Session, referral: Referral, now: float) -> None:
        """The REFER was answered 202: call now, and tell the progress by `referral.tell`."""
        ...

    def on_replaced(self, session: Session, replacement: Session, now: float) -> None:
        """Somebody else's new session is to take the place of this one (RFC 3891): answer or reject
        its INVITE, and end this one once it stands."""
        ...

    def on_ended(self, session: Session, ending: Ending, now: float) -> None:
        """The session is over. Nothing follows."""
        ...
