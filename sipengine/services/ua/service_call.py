"""A call that the telephone system answers itself with a sound: the echo test, a tone."""

from __future__ import annotations

from sipengine.services.calls import Call, Leg
from sipengine.services.ports import Sound
from sipengine.services.ua.ending import Ending
from sipengine.services.ua.referrals import Referral
from sipengine.services.ua.session import Session
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.sdp import answering
from sipengine.sip.sdp.description import Description


class ServiceCall:
    """The `SessionUser` of one such call. `call` is its row in the call log."""

    def __init__(self, call: Call, leg: Leg) -> None:
        self._call = call
        self._leg = leg
        self._session: Session | None = None
        self._sound: Sound | None = None

    def answer(self, session: Session, sound: Sound, now: float) -> None:
        """Answer the INVITE. Raises `RemoteProtocolError` 488 if there is no common codec."""
        self._session, self._sound = session, sound
        description = self._description(session.offered)
        session.accept(description, now)
        self._call.leg_answered(self._leg, session.local_tag, None, now)

    def take_over(self, session: Session, sound: Sound, offer: Description, now: float) -> None:
        """Answer the offer of a session that somebody else began. Raises as `answer`."""
        self._session, self._sound = session, sound
        description = self._description(offer)
        session.user = self
        session.answer(description, now)
        self._call.leg_answered(self._leg, session.local_tag, None, now)

    def stopped(self, why: str, now: float) -> None:
        """The sound is over."""
        if self._session is not None:
            self._session.end(now, why)

    def _description(self, offer: Description | None) -> Description:
        sound = self._sound
        assert sound is not None
        host, port = sound.address
        if offer is None:
            return answering.offer(host, port)
        ours, agreed = answering.answer(offer, host, port)
        sound.connect(agreed)
        return ours

    # -- SessionUser

    def on_progress(self, session: Session, status: int, now: float) -> None: ...

    def on_established(self, session: Session, now: float) -> None: ...

    def on_offer(self, session: Session, offer: Description | None, now: float) -> None:
        try:
            description = self._description(offer)
        except RemoteProtocolError as error:
            session.refuse(error.status, now, error.reason)
            return
        session.answer(description, now)

    def on_answer(self, session: Session, answer: Description, now: float) -> None:
        agreed = answering.agreed_from_answer(answer)
        if agreed is None:
            session.end(now, "its phone speaks no G.711")
        elif self._sound is not None:
            self._sound.connect(agreed)

    def on_offer_refused(self, session: Session, status: int, now: float) -> None: ...

    def on_info(self, session: Session, message: Message, now: float) -> None: ...

    def on_refer(self, session: Session, referral: Referral, now: float) -> int:
        return 603  # there is nobody to transfer

    def on_referred(self, session: Session, referral: Referral, now: float) -> None: ...

    def on_ended(self, session: Session, ending: Ending, now: float) -> None:
        if self._sound is not None:
            self._sound.close()
            self._sound = None
        if ending.status != 200:
            self.failed(ending.status, ending.why, now)
            return
        by = "caller" if ending.by_peer and not ending.why else "system"
        self._call.leg_ended(self._leg, 200, "answered", now)
        self._call.finish("answered", 200, by, now, ending.why)

    def failed(self, status: int, why: str, now: float) -> None:
        """The call was refused, or given up before it was answered."""
        result, by = ("cancelled", "caller") if status == 487 else ("failed", "system")
        self._call.leg_ended(self._leg, status, result, now)
        self._call.finish(result, status, by, now, why)
