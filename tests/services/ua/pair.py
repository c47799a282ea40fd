"""Two user agents of ours on a wire that can lose, hold back and reorder, and a clock that is told."""

from __future__ import annotations

from collections.abc import Callable

from sipengine.services.ua.agent import UserAgent
from sipengine.services.ua.ending import Ending
from sipengine.services.ua.inviting import Invitation
from sipengine.services.ua.referrals import Referral
from sipengine.services.ua.session import Session
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.parser import parse
from sipengine.sip.sdp import answering as sdp
from sipengine.sip.sdp.description import Description
from sipengine.sip.transaction.invite_server import InviteServer
from tests.support.user_agent import StandaloneAgent

ALICE = ("198.51.100.1", 5060)
BOB = ("198.51.100.2", 5060)


class Party:
    """A person with a phone: answers what is asked and remembers what happened.

    `at_once` False leaves calls ringing and offers unanswered until the test says more.
    """

    def __init__(
        self, pair: Pair, name: str, address: tuple[str, int], peer: tuple[str, int]
    ) -> None:
        self.pair, self.name, self.address = pair, name, address
        self.flow = Flow("UDP", address, peer)
        self.phone = StandaloneAgent(
            self.flow, address, self._incoming, key=name.encode(), interval=pair.interval
        )
        self.at_once = True
        self.sessions: list[Session] = []
        self.events: list[str] = []
        self.endings: list[Ending] = []
        self.referrals: list[Referral] = []
        self.refer_status = 202
        self.port = 40000 if name == "alice" else 50000

    @property
    def agent(self) -> UserAgent:
        return self.phone.agent

    @property
    def session(self) -> Session:
        return self.sessions[-1]

    @property
    def description(self) -> Description:
        return sdp.offer(self.address[0], self.port)

    def call(self, *, with_offer: bool = True) -> Session:
        session = self.agent.begin(self, self.name)
        self.sessions.append(session)
        invitation = Invitation(
            f"sip:bob@{BOB[0]}", f"<sip:{self.name}@a.test>", "<sip:bob@b.test>"
        )
        session.invite(invitation, self.description if with_offer else None, None, self.pair.now)
        self.pair.settle()
        return session

    def _incoming(self, message: Message, flow: Flow, server: InviteServer, now: float) -> None:
        session = self.agent.incoming(self, self.name, message, flow, server, now)
        self.sessions.append(session)
        self.events.append("invite")
        if self.at_once:
            self.pick_up()

    def answer_to(self, offer: Description | None) -> Description:
        if offer is None:
            return self.description
        return sdp.answer(offer, self.address[0], self.port)[0]

    def pick_up(self) -> None:
        self.session.accept(self.answer_to(self.session.offered), self.pair.now)

    # -- SessionUser

    def on_progress(self, session: Session, status: int, now: float) -> None:
        self.events.append(str(status))

    def on_established(self, session: Session, now: float) -> None:
        self.events.append("established")

    def on_offer(self, session: Session, offer: Description | None, now: float) -> None:
        self.events.append("offer" if offer is not None else "offer wanted")
        if self.at_once:
            session.answer(self.answer_to(offer), now)

    def on_answer(self, session: Session, answer: Description, now: float) -> None:
        self.events.append("answer")

    def on_offer_refused(self, session: Session, status: int, now: float) -> None:
        self.events.append(f"refused {status}")

    def on_offer_withdrawn(self, session: Session, now: float) -> None:
        self.events.append("offer withdrawn")

    def on_info(self, session: Session, message: Message, now: float) -> None:
        self.events.append(f"info {message.body}")

    def on_refer(self, session: Session, referral: Referral, now: float) -> int:
        self.events.append(f"refer {referral.target}")
        return self.refer_status

    def on_referred(self, session: Session, referral: Referral, now: float) -> None:
        self.referrals.append(referral)

    def on_replaced(self, session: Session, replacement: Session, now: float) -> None:
        replacement.reject(603, now)

    def on_ended(self, session: Session, ending: Ending, now: float) -> None:
        self.events.append("ended")
        self.endings.append(ending)


class Pair:
    """`lose` judges each message by its bytes: True and it is lost. `held` are those kept back."""

    def __init__(self, interval: int = 1800) -> None:
        self.now = 1000.0
        self.interval = interval
        self.lose: Callable[[bytes], bool] = lambda data: False
        self.hold: Callable[[bytes], bool] = lambda data: False
        self.held: list[tuple[Party, bytes]] = []
        self.sent: list[tuple[str, bytes]] = []
        self.alice = Party(self, "alice", ALICE, BOB)
        self.bob = Party(self, "bob", BOB, ALICE)

    def settle(self) -> None:
        """Deliver until nobody has more to say."""
        for _ in range(200):
            moved = False
            for party in (self.alice, self.bob):
                other = self.bob if party is self.alice else self.alice
                waiting, party.phone.out[:] = list(party.phone.out), []
                for _, data in waiting:
                    moved = True
                    self.sent.append((party.name, data))
                    if self.hold(data):
                        self.held.append((other, data))
                    elif not self.lose(data):
                        other.phone.receive(data, other.flow, self.now)
            if not moved:
                return
        raise AssertionError("they never stop talking")

    def release(self) -> None:
        """Deliver what was held back, in order."""
        held, self.held = self.held, []
        self.hold = lambda data: False
        for party, data in held:
            party.phone.receive(data, party.flow, self.now)
        self.settle()

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(5000):
            dues = [p.phone.next_timer() for p in (self.alice, self.bob)]
            due = min((d for d in dues if d is not None), default=None)
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.alice.phone.handle_timers(self.now)
            self.bob.phone.handle_timers(self.now)
            self.settle()
        self.now = end

    def said(self, who: str = "") -> list[str]:
        """`INVITE`, `200 INVITE`, .. in the order sent, by one of them or both."""
        lines = []
        for name, data in self.sent:
            if who in ("", name):
                message = parse(data) if not data.startswith(b"SIP/") else None
                start = data.split(b" ")
                cseq = next(
                    line for line in data.split(b"\r\n") if line.lower().startswith(b"cseq")
                )
                method = cseq.split()[-1].decode()
                lines.append(method if message else f"{start[1].decode()} {method}")
        return lines

    def last(self, start: str) -> Message:
        """The latest message whose start line begins so."""
        for _, data in reversed(self.sent):
            if data.decode("latin-1").startswith(start):
                return parse(data)
        raise AssertionError(f"nobody sent {start}")


def starts(*words: str) -> Callable[[bytes], bool]:
    """Judges messages by the beginning of their start line."""
    beginnings = tuple(word.encode() for word in words)
    return lambda data: data.startswith(beginnings)
