"""Two sessions of ours through anything at all: whatever is done, lost or late, no state is for ever.

What an application may do is done in any order on a wire that loses, holds back and reorders. Then there
is peace, and each session is free for a change or over; then both hang up, and nothing of them is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.services.ua.session import Session
from sipengine.sip.offer_answer import STABLE
from tests.services.ua.pair import Pair, Party, starts

HELD: Final = (
    "INVITE", "ACK", "PRACK", "SIP/2.0 200", "BYE", "CANCEL", "UPDATE", "SIP/2.0 4", "SIP/2.0 183",
)  # fmt: skip
MOST_EXAMPLES: Final = 150
STEPS: Final = 20


def offer(party: Party, session: Session, number: int) -> None:
    if session.free:
        asks = number % 4 == 0 and session.established
        session.offer(None if asks else party.description, party.pair.now, insist=number % 2 == 1)


def answer(party: Party, session: Session, number: int) -> None:
    if session.owed:
        session.answer(party.answer_to(session.offered), party.pair.now)


def refuse(party: Party, session: Session, number: int) -> None:
    if session.owed:
        session.refuse((488, 491, 500)[number % 3], party.pair.now)


def progress(party: Party, session: Session, number: int) -> None:
    description = party.answer_to(session.offered) if number % 2 else None
    session.progress(180 + number % 4, description, party.pair.now)


def accept(party: Party, session: Session, number: int) -> None:
    needs = session.offered is not None or session.negotiation.remote is None
    session.accept(party.answer_to(session.offered) if needs else None, party.pair.now)


def end(party: Party, session: Session, number: int) -> None:
    session.end(party.pair.now)


def withdraw(party: Party, session: Session, number: int) -> None:
    session.withdraw(party.pair.now)


def other(party: Party, session: Session, number: int) -> None:
    if session.dialog is not None:
        method = ("INFO", "UPDATE", "OPTIONS", "MESSAGE")[number % 4]
        headers = [("Contact", session.contact)]
        session.request(method, headers, party.pair.now, lambda *_: None)


def refer(party: Party, session: Session, number: int) -> None:
    if session.established and not session.ended:
        session.referrals.send("<sip:c@c.test>", lambda *_: None, party.pair.now, [])


def tell(party: Party, session: Session, number: int) -> None:
    for referral in party.referrals:
        referral.tell((180, 200, 486)[number % 3], party.pair.now)


def lose(party: Party, session: Session, number: int) -> None:
    part = number % 4
    party.pair.lose = lambda data: crc32(data) % 4 < part


def hold(party: Party, session: Session, number: int) -> None:
    party.pair.hold = starts(HELD[number % len(HELD)], HELD[number // 3 % len(HELD)])


def release(party: Party, session: Session, number: int) -> None:
    if number % 2:
        party.pair.held.reverse()
    party.pair.release()


def wait(party: Party, session: Session, number: int) -> None:
    party.pair.advance((0.1, 1.0, 5.0, 33.0, 100.0)[number % 5])


Step = Callable[[Party, Session, int], None]
STEP: Final[list[Step]] = [
    offer, offer, offer, answer, refuse, progress, accept, end, withdraw, other, refer, tell, lose, hold,
    release, release, wait, wait, wait,
]  # fmt: skip


@settings(max_examples=MOST_EXAMPLES, deadline=None)
@given(
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.sampled_from([90, 1800])),
    st.lists(st.tuples(st.booleans(), st.sampled_from(STEP), st.integers(0, 26)), max_size=STEPS),
)
def test_no_state_is_for_ever(
    begin: tuple[bool, bool, bool, int], steps: list[tuple[bool, Step, int]]
) -> None:
    with_offer, alice_at_once, bob_at_once, interval = begin
    pair = Pair(interval)
    both = pair.alice, pair.bob
    pair.alice.at_once, pair.bob.at_once = alice_at_once, bob_at_once
    pair.alice.call(with_offer=with_offer)
    for is_alice, step, number in steps:
        party = pair.alice if is_alice else pair.bob
        if party.sessions:
            step(party, party.session, number)
            pair.settle()
    peace(pair)
    for party in both:
        for session in party.sessions:
            assert session.ended or session.free or not has_begun(session)
    for party in both:
        for session in party.sessions:
            session.end(pair.now)
    pair.settle()
    pair.advance(400)
    for party in both:
        assert not party.phone.layer.clients
        assert not party.phone.layer.servers
        assert not party.agent.sessions
        assert len(party.endings) == len(party.sessions), "each ends, and once"


def peace(pair: Pair) -> None:
    """All that was held back arrives, nothing is lost, what is asked is answered."""
    pair.lose = lambda data: False
    pair.release()
    for party in (pair.alice, pair.bob):
        party.at_once = True
        for session in party.sessions:
            answer(party, session, 0)
    pair.settle()
    pair.advance(250)


def has_begun(session: Session) -> bool:
    """Whether its first INVITE is answered."""
    inviting, answering = session.inviting, session.answering
    if inviting is not None and inviting.initial and not inviting.final:
        return False
    if answering is not None and answering.initial and not answering.final:
        return False
    return session.negotiation.state == STABLE or session.established
