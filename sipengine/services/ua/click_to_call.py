"""Click-to-call: we ring the caller's phone, then the called number, and join the two.

By flow III of RFC 3725 §4.3. Flow I would leave the caller's 200 without its ACK while the other
phone rings, which takes longer than 64*T1; flow IV begins with an offer without streams, which
many phones refuse. So: the caller's phone is asked for an offer, which is answered with nothing
flowing; then the called phone is asked for one, which is offered to the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sipengine.api import Extension
from sipengine.services.call import Call
from sipengine.services.calls import Calls
from sipengine.services.feature_codes import FeatureCode
from sipengine.services.ports import Media
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.routing import RING, Decision, Destination, RoutingTable, Stage
from sipengine.services.ua.agent import UserAgent
from sipengine.services.ua.alarm import Alarm
from sipengine.services.ua.back_to_back import BackToBack
from sipengine.services.ua.by_gateway import tell_offer
from sipengine.services.ua.ending import Ending
from sipengine.services.ua.inviting import Invitation
from sipengine.services.ua.referrals import Referral
from sipengine.services.ua.routed_carrier import RoutedCarrier
from sipengine.services.ua.service_call import ServiceCall
from sipengine.services.ua.session import Session
from sipengine.sip.address import quoted
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.sdp.answering import held_answer
from sipengine.sip.sdp.description import Description
from sipengine.sip.uri import escape_user

CALLER_RINGS: Final = 30
"""Seconds: who has just clicked sits beside the phone."""
COMPLETED_ELSEWHERE: Final = 'SIP;cause=200;text="Call completed elsewhere"'
"""Why a phone stops ringing when another picked up for it (RFC 3326 §2): it shows no missed call."""
PATIENCE: Final = 10.0
"""Seconds that the called phone's answer waits while the caller's is changing something itself."""
AGAIN: Final = 0.5
MAX_DIALS: Final = 50
"""Calls at once that are being set up or held together for this."""

News = Callable[[str, bool, bool], None]
"""(a sentence, whether it is the last, whether all went well)."""


class ClickToCall:
    """`table` is that of the present configuration."""

    def __init__(
        self, agent: UserAgent, proxy: Proxy, calls: Calls, unseen: Calls, table: RoutingTable,
        sounds: Media,
    ) -> None:  # fmt: skip
        """`unseen` keeps the attempts to ring callers' phones, which are no calls of the log."""
        self.agent = agent
        self.proxy = proxy
        self.calls = calls
        self.unseen = unseen
        self.table = table
        self.sounds = sounds
        self._open: set[Dial] = set()

    def dial(self, caller: str, called: str, news: News, now: float) -> None:
        """Ring `caller`, a number or AOR, then `called`, a number, and join them."""
        snapshot = self.table.snapshot
        number, _, domain = caller.partition("@")
        domain = domain or snapshot.default_domain
        who = snapshot.extensions.get(f"{number}@{domain}")
        if who is None:
            news(f"There is no extension {number} at {domain}.", True, False)
            return
        called, at, theirs = called.partition("@")
        if not called or ":" in called or (at and theirs != domain):
            news(f"Give a number of {domain} to call.", True, False)
            return
        decision = self.table.decide(called, domain)
        if decision.feature is None and (decision.kind != RING or decision.stage is None):
            why = decision.steps[-1] if decision.steps else "It is no number that can ring."
            news(f"{called} cannot be called this way. {why}", True, False)
            return
        if len(self._open) >= MAX_DIALS or self.agent.room < 2:
            news("Too many calls are being set up; try again in a moment.", True, False)
            return
        dial = Dial(self, who, called, decision, news, now)
        self._open.add(dial)
        dial.ring_caller(now)

    def over(self, dial: Dial) -> None:
        self._open.discard(dial)
        self.unseen.take_records()


class Dial:
    """One such call: the `SessionUser` of both its sessions."""

    def __init__(
        self, owner: ClickToCall, who: Extension, called: str, decision: Decision, news: News, now: float
    ) -> None:  # fmt: skip
        self._owner = owner
        self._who = who
        self._called = called
        self._decision = decision
        self._news = news
        agent = owner.agent
        call_id = agent.names.call_id()
        self._a = agent.begin(self, called, call_id)
        self._b = agent.begin(self, who.number, call_id)
        self._both = BackToBack(self._a, self._b)
        self._b_called = False
        self._joined = False
        self._ending = False
        self._rang = False
        self._joiner: Session | None = None  # who was called, and has answered
        self._joining = Alarm(agent.layer.timers, self._join)
        self._join_by = 0.0
        self._swap: tuple[Session, Session] | None = None  # who is replaced, and by whom
        self._attempt: Call | None = None
        call = owner.calls.begin(call_id, self._b.local_tag, now)
        call.domain = who.domain
        call.caller = who.aor
        call.caller_name = who.name
        call.caller_device = "Click-to-call"
        call.called = called
        call.rule = decision.rule
        call.decision = ("The call was asked for by ./run dial.", *decision.steps)
        self._call = call

    # -- the steps

    def ring_caller(self, now: float) -> None:
        owner, who = self._owner, self._who
        name = owner.calls.name_of(f"{self._called}@{who.domain}")
        attempt = owner.unseen.begin(self._a.call_id, self._a.local_tag, now)
        self._attempt = attempt
        stage = Stage((Destination(aor=who.aor, name=who.name),), CALLER_RINGS)
        carrier = RoutedCarrier(owner.agent, owner.proxy, attempt, Decision(RING, stage=stage))
        self._say(f"Ringing {self._caller} …")
        self._a.invite(self._invitation(self._called, name, who.number), None, carrier, now)

    def _ring_called(self, now: float) -> None:
        owner, who = self._owner, self._who
        self._b_called = True
        carrier = RoutedCarrier(owner.agent, owner.proxy, self._call, self._decision)
        self._say(f"{self._caller} picked up; ringing {self._called} …")
        self._b.invite(self._invitation(who.number, who.name, self._called), None, carrier, now)

    def _play(self, feature: FeatureCode, offer: Description, now: float) -> None:
        """The called number is ours: the caller's offer is answered with its sound."""
        owner, session, call = self._owner, self._a, self._call
        leg = call.leg_started(feature.name, "", "", now)
        service = ServiceCall(call, leg, owner.sounds, feature.program)
        try:
            service.take_over(session, offer, now)
        except RemoteProtocolError as error:
            service.close()
            session.refuse(error.status, now, error.reason)
            return
        if self._attempt is not None:
            self._attempt.finish("answered", 200, "", now)
        self._ending = True
        self._b.finish(Ending(200, False), now)
        self._say(f"{self._caller} picked up and hears the {feature.name.lower()}.", True, True)
        owner.over(self)

    def _invitation(self, sender: str, name: str, to: str) -> Invitation:
        domain = self._who.domain
        display = f"{quoted(name)} " if name else ""
        target = f"sip:{escape_user(to)}@{domain}"
        return Invitation(target, f"{display}<sip:{escape_user(sender)}@{domain}>", f"<{target}>")

    @property
    def _caller(self) -> str:
        who = self._who
        return f"{who.name} ({who.number})" if who.name else who.number

    def _say(self, words: str, last: bool = False, well: bool = False) -> None:
        self._news(words, last, well)

    # -- SessionUser

    def on_progress(self, session: Session, status: int, now: float) -> None:
        self._rang = True

    def on_established(self, session: Session, now: float) -> None:
        if self._swap is not None and session is self._swap[1]:
            self._swapped(*self._swap, now)

    def on_offer(self, session: Session, offer: Description | None, now: float) -> None:
        if self._joined:
            self._both.offered(session, offer, now)
        elif session is self._a:
            if offer is None:
                session.refuse(491, now)
                return
            feature = self._decision.feature
            if feature is not None:
                self._play(feature, offer, now)
                return
            session.answer(held_answer(offer), now)
            if not self._b_called:
                self._ring_called(now)
        elif offer is None:
            session.refuse(488, now)
        else:
            self._joiner, self._join_by = session, now + PATIENCE
            self._join(now)

    def _join(self, now: float) -> None:
        """Offer to the caller's phone what the called one offers, once the former has no change under way."""
        session = self._joiner
        offer = None if session is None else session.offered
        if session is None or offer is None or session.ended:
            return
        if self._a.free:
            self._both.pass_on(session, offer, now, insist=True)
        elif now >= self._join_by:
            session.refuse(488, now)
        else:
            self._joining.start(AGAIN, now)

    def on_answer(self, session: Session, answer: Description, now: float) -> None:
        if self._both.answered(session, answer, now) and not self._joined:
            self._joined = True
            by = self._swap[1].peer_name if self._swap is not None else self._call.answered_by
            who = self._owner.calls.name_of(by) or self._called
            self._say(f"{who} answered: they are connected.", last=True, well=True)

    def on_offer_refused(self, session: Session, status: int, now: float) -> None:
        self._both.refused(session, 488 if not self._joined else status, now)

    def on_offer_withdrawn(self, session: Session, now: float) -> None:
        self._both.withdrawn(session, now)

    def on_info(self, session: Session, message: Message, now: float) -> None:
        self._both.info(session, message, now)

    def on_refer(self, session: Session, referral: Referral, now: float) -> int:
        peer = self._both.peer(session)
        able = self._joined and peer.established and not peer.ended and "REFER" in peer.allowed
        return 202 if able else 603

    def on_referred(self, session: Session, referral: Referral, now: float) -> None:
        self._owner.proxy.transfers.asked(referral.target, self._call, session is self._a, now)
        self._both.refer(session, referral, now)

    def on_replaced(self, session: Session, replacement: Session, now: float) -> None:
        rings = not session.established
        if self._swap is not None or not (self._joined or rings):
            replacement.reject(486, now, "Busy Here: the call is being changed already")
            return
        if rings and replacement.offered is None:
            replacement.reject(488, now, "Not Acceptable Here: who picks up must offer")
            return
        if session is self._a and rings:
            self._picked_up_elsewhere(session, replacement, now)
            return
        self._swap = session, replacement
        self._both.replace(session, replacement)
        tell_offer(replacement, replacement.offered, now)

    def _picked_up_elsewhere(self, old: Session, new: Session, now: float) -> None:
        """Another phone answers in place of the caller's own, which still rings."""
        self._a = new
        self._both.replace(old, new)
        tell_offer(new, new.offered, now)
        if new.ended:
            self._a = old
            self._both.replace(new, old)
            return
        self._took_over(new)
        old.end(now, reason=COMPLETED_ELSEWHERE)

    def _took_over(self, new: Session) -> None:
        name = self._owner.calls.name_of(new.peer_name) or new.peer_name
        self._call.decision += (f"{name} took over this call.",)

    def _swapped(self, old: Session, new: Session, now: float) -> None:
        """Who took over is in the place of the one who was replaced, who is hung up."""
        self._swap = None
        if self._a is old:
            self._a = new
        else:
            self._b = new
        self._took_over(new)
        leg = self._call.leg_started(new.peer_name, "", "", now)
        self._call.leg_answered(leg, new.local_tag, None, now)
        old.end(now, reason="" if old.established else COMPLETED_ELSEWHERE)

    def _after_swap(self, session: Session, now: float) -> Session | None:
        """A side ended, maybe while another took its place: the side of the call that this ends, if any."""
        if self._swap is not None:
            old, new = self._swap
            if session is old:
                return None
            self._swap = None
            self._both.replace(new, old)
            if session is new:
                return old if old.ended else None
            new.end(now)  # whoever they speak with has hung up
        return session if session in (self._a, self._b) else None

    def on_ended(self, session: Session, ending: Ending, now: float) -> None:
        side = self._after_swap(session, now)
        if side is not None:
            self._side_ended(side, ending, now)

    def _side_ended(self, session: Session, ending: Ending, now: float) -> None:
        if session is self._a and self._attempt is not None:
            self._attempt.finish("answered", 200, "", now)
        other = self._both.peer(session)
        if not self._ending:
            self._ending = True
            if self._b_called:
                self._hung_up(session, ending, now)
                other.end(now)
            else:
                self._not_picked_up(ending, now)
        if other.ended:
            self._owner.over(self)

    def _not_picked_up(self, ending: Ending, now: float) -> None:
        """The caller's own phone was not answered, so that nobody else was rung."""
        call = self._call
        why = f"{self._caller} did not answer the own phone"
        if ending.status == 200:
            why = ending.why or f"{self._caller} hung up"
        elif not self._rang:
            why = f"{self._caller} has no phone registered"
        if not call.legs:
            call.leg_started(self._who.aor, "", "", now)
        call.leg_ended(call.legs[0], ending.status, "failed", now)
        call.finish("failed", ending.status, "system", now, why)
        self._say(call.reason, last=True)
        self._b.finish(Ending(487, False), now)

    def _hung_up(self, session: Session, ending: Ending, now: float) -> None:
        """One side ended; the other is ended by us, or taken back while it rings."""
        call = self._call
        by_caller = session is self._a
        if call.answered and not self._joined:
            call.finish("failed", 200, "system", now, "the two phones found no common codec")
        elif call.answered:
            by = "caller" if by_caller else "callee"
            by_system = bool(ending.why) or not ending.by_peer
            call.finish("answered", 200, "system" if by_system else by, now, ending.why)
        if not self._joined:
            gave_up = by_caller and not call.ended
            self._say(f"{self._caller} hung up." if gave_up else self._outcome(), last=True)

    def _outcome(self) -> str:
        return self._call.reason or f"{self._called} was not reached."
