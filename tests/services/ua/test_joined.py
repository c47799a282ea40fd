"""Two calls of ours joined back to back through anything at all: in peace each side has what the other says.

Ann and Ben change, ask and cancel in any order on wires that lose and hold back. A phone listens
at another port after each change that it wanted, so that an old description shows.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Final
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.services.ua.back_to_back import BackToBack
from sipengine.services.ua.ending import Ending
from sipengine.services.ua.referrals import Referral
from sipengine.services.ua.session import Session
from sipengine.sip.message import Message
from sipengine.sip.sdp.description import Description
from tests.services.ua.pair import Pair, Party, starts

HELD: Final = ("INVITE", "ACK", "SIP/2.0 200", "CANCEL", "SIP/2.0 4", "SIP/2.0 1")
MOST_EXAMPLES: Final = 100


class Between:
    """The `SessionUser` of both our sessions, as click-to-call is one."""

    def __init__(self, one: Session, other: Session) -> None:
        self.both = BackToBack(one, other)

    def on_progress(self, session: Session, status: int, now: float) -> None: ...

    def on_established(self, session: Session, now: float) -> None: ...

    def on_offer(self, session: Session, offer: Description | None, now: float) -> None:
        self.both.offered(session, offer, now)

    def on_answer(self, session: Session, answer: Description, now: float) -> None:
        self.both.answered(session, answer, now)

    def on_offer_refused(self, session: Session, status: int, now: float) -> None:
        self.both.refused(session, status, now)

    def on_offer_withdrawn(self, session: Session, now: float) -> None:
        self.both.withdrawn(session, now)

    def on_info(self, session: Session, message: Message, now: float) -> None:
        self.both.info(session, message, now)

    def on_refer(self, session: Session, referral: Referral, now: float) -> int:
        return 603

    def on_referred(self, session: Session, referral: Referral, now: float) -> None: ...

    def on_replaced(self, session: Session, replacement: Session, now: float) -> None: ...

    def on_ended(self, session: Session, ending: Ending, now: float) -> None:
        self.both.peer(session).end(now)


class Joined:
    """Each pair is a wire: `alice` of each is a phone, `bob` our own side of it."""

    def __init__(self) -> None:
        self.wires = self.ann_s, self.ben_s = Pair(), Pair()
        self.phones = self.ann, self.ben = self.ann_s.alice, self.ben_s.alice
        self.ben.port = 50000
        for wire in self.wires:
            wire.alice.call()
        self.ours = one, other = self.ann_s.bob.session, self.ben_s.bob.session
        self.between = Between(one, other)
        one.user = other.user = self.between
        for asking, asked in ((one, other), (other, one)):
            assert asking.negotiation.remote is not None
            asked.offer(asking.negotiation.remote, self.now)
            self.settle()
        assert self.is_whole()

    @property
    def now(self) -> float:
        return self.ann_s.now

    def settle(self) -> None:
        for _ in range(50):
            before = len(self.ann_s.sent) + len(self.ben_s.sent)
            for wire in self.wires:
                wire.settle()
            if len(self.ann_s.sent) + len(self.ben_s.sent) == before:
                return
        raise AssertionError("they never stop talking")

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(5000):
            parties = [party for wire in self.wires for party in (wire.alice, wire.bob)]
            dues = [due for party in parties if (due := party.phone.next_timer()) is not None]
            due = min(dues, default=end)
            for wire in self.wires:
                wire.now = min(max(due, wire.now), end)
            for party in parties:
                party.phone.handle_timers(self.now)
            self.settle()
            if due >= end:
                break

    def is_whole(self) -> bool:
        """Whether each phone was told where the other listens."""
        one, other = self.ours
        return port(one.negotiation.local) == port(other.negotiation.remote) and port(
            other.negotiation.local
        ) == port(one.negotiation.remote)


def port(description: Description | None) -> int:
    return -1 if description is None else description.streams[0].port


def change(joined: Joined, phone: Party, number: int) -> None:
    session = phone.session
    if session.free:
        if number % 4:
            phone.port += 2
        session.offer(phone.description if number % 4 else None, joined.now, insist=number % 4 == 1)


def answer(joined: Joined, phone: Party, number: int) -> None:
    session = phone.session
    if session.owed:
        session.answer(phone.answer_to(session.offered), joined.now)


def change_mind(joined: Joined, phone: Party, number: int) -> None:
    """A CANCEL that may cross what the other phone answers."""
    change(joined, phone, number)
    for wire in joined.wires:
        if number % 3:
            wire.settle()
    phone.session.withdraw(joined.now)


def hold(joined: Joined, phone: Party, number: int) -> None:
    phone.pair.hold = starts(HELD[number % 6], HELD[number // 5 % 6])


def release(joined: Joined, phone: Party, number: int) -> None:
    phone.pair.release()


def lose(joined: Joined, phone: Party, number: int) -> None:
    serial = count()
    phone.pair.lose = lambda data: (crc32(data) + next(serial)) % 4 < number % 3


def wait(joined: Joined, phone: Party, number: int) -> None:
    joined.advance((0.1, 0.6, 3.0, 33.0)[number % 4])


Step = Callable[[Joined, Party, int], None]
STEP: Final[list[Step]] = [
    change, change, change_mind, change_mind, answer, answer, hold, release, release, lose, wait, wait,
]  # fmt: skip


@settings(max_examples=MOST_EXAMPLES, deadline=None)
@given(
    st.tuples(st.booleans(), st.booleans()),
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(STEP), st.integers(0, 29)), min_size=5, max_size=16
    ),
)
def test_both_sides_have_what_the_other_says_rfc3725_7(
    at_once: tuple[bool, bool], steps: list[tuple[bool, Step, int]]
) -> None:
    joined = Joined()
    joined.ann.at_once, joined.ben.at_once = at_once
    for is_ann, step, number in steps:
        step(joined, joined.ann if is_ann else joined.ben, number)
        joined.settle()
    for wire in joined.wires:
        wire.lose = lambda data: False
        wire.release()
    for phone in joined.phones:
        phone.at_once = True
        answer(joined, phone, 0)
    joined.settle()
    joined.advance(260)
    one, other = joined.ours
    assert one.ended == other.ended, "nobody speaks with nobody"
    if not one.ended:  # so many losses that a phone counted as gone
        assert one.free
        assert other.free
        assert joined.is_whole()


def test_phone_that_moves_with_a_refresh_is_told_of_rfc4028_7_4() -> None:
    """A refresh offers what was agreed; the answer to it may name another port (RFC 3264 §8.3.1)."""
    joined = Joined()
    one, _ = joined.ours
    one.allowed = frozenset()  # no UPDATE: by re-INVITE
    joined.ann.port += 2
    joined.advance(910)
    assert port(one.negotiation.remote) == joined.ann.port
    assert joined.is_whole()
    ben = joined.ben.session.negotiation
    assert port(ben.remote) == joined.ann.port
