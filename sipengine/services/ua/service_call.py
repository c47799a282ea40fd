"""A call that the telephone system answers itself with a sound: the echo test, a tone."""

from __future__ import annotations

from sipengine.services.call import Call
from sipengine.services.leg import Leg
from sipengine.services.ports import Media, Sound
from sipengine.services.ua.ending import Ending
from sipengine.services.ua.referrals import Referral
from sipengine.services.ua.session import Session
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.sdp import answering
from sipengine.sip.sdp.description import Description


class ServiceCall:
    """The `SessionUser` of one such call. `call` is its row in the call log."""

    def __init__(self, call: Call, leg: Leg, media: Media, program: str) -> None:
        self._call = call
        self._leg = leg
        self._media = media
        self._program = program
        self._answered = False
        self._session: Session | None = None
        self._sound: Sound | None = None

    def take_over(self, session: Session, offer: Description, now: float) -> None:
        """Answer the offer of a session that somebody else began.

        Raises `RemoteProtocolError` 488 if there is no common codec, 503 without a free port.
        """
        description = self._description(session, offer)
        session.user = self
        self._answer(session, now)
        session.answer(description, now)

    def _answer(self, session: Session, now: float) -> None:
        self._answered = True
        self._call.leg_answered(self._leg, session.local_tag, None, now)
        if session.by_gateway is not None:
            session.by_gateway.watched_for(self._call, now)

    def close(self) -> None:
        """Give the port back."""
        if self._sound is not None:
            self._sound.close()
            self._sound = None

    def stopped(self, why: str, now: float) -> None:
        """The sound is over."""
        if self._session is not None:
            self._session.end(now, why)

    def _description(self, session: Session, offer: Description | None) -> Description:
        sound = self._sound or self._open(session)
        host, port = sound.address
        if offer is None:
            return answering.offer(host, port)
        ours, agreed = answering.answer(offer, host, port)
        sound.connect(agreed)
        return ours

    def _open(self, session: Session) -> Sound:
        """A port towards the phone, or towards the gateway that speaks with it."""
        self._session = session
        heard, way = session.heard, session.by_gateway
        sound = None
        if way is not None:
            sound = self._media.open(self._program, way.near, way.near, self.stopped)
        elif heard is not None:
            host = session.agent.place.host_for(heard)
            sound = self._media.open(self._program, host, heard.remote[0], self.stopped)
        if sound is None:
            raise RemoteProtocolError(503, "Service Unavailable: no RTP port is free")
        self._sound = sound
        return sound

    # -- SessionUser

    def on_progress(self, session: Session, status: int, now: float) -> None: ...

    def on_established(self, session: Session, now: float) -> None: ...

    def on_offer(self, session: Session, offer: Description | None, now: float) -> None:
        try:
            description = self._description(session, offer)
        except RemoteProtocolError as error:
            if self._answered:
                session.refuse(error.status, now, error.reason)
            else:
                session.reject(error.status, now, error.reason)
            return
        if self._answered:
            session.answer(description, now)
        else:
            self._answer(session, now)
            session.accept(description, now)

    def on_answer(self, session: Session, answer: Description, now: float) -> None:
        agreed = answering.agreed_from_answer(answer)
        if agreed is None:
            session.end(now, "its phone speaks no G.711")
        elif self._sound is not None:
            self._sound.connect(agreed)

    def on_offer_refused(self, session: Session, status: int, now: float) -> None: ...

    def on_offer_withdrawn(self, session: Session, now: float) -> None: ...

    def on_info(self, session: Session, message: Message, now: float) -> None: ...

    def on_refer(self, session: Session, referral: Referral, now: float) -> int:
        return 603  # there is nobody to transfer

    def on_referred(self, session: Session, referral: Referral, now: float) -> None: ...

    def on_replaced(self, session: Session, replacement: Session, now: float) -> None:
        replacement.reject(603, now, "Decline: there is nobody to speak with")

    def on_ended(self, session: Session, ending: Ending, now: float) -> None:
        self.close()
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
