"""How the tests' telephone registers (RFC 3261 §10.2), against a registrar of one line an answer."""

from __future__ import annotations

import pytest

from sipengine.services.replies import reply
from sipengine.services.ua.credentials import Credentials
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message
from sipengine.sip.parser import parse
from tests.support.registration import Registration
from tests.support.user_agent import StandaloneAgent

HERE, REGISTRAR = ("198.51.100.1", 5060), ("192.0.2.1", 5060)
CHALLENGE = 'WWW-Authenticate: Digest realm="a.test", nonce="n{n}", algorithm={a}, qop="auth"'


class Desk:
    """One registration and what its registrar sees of it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.flow = Flow("UDP", HERE, REGISTRAR)
        self.phone = StandaloneAgent(self.flow, HERE, lambda *_: None)
        ha1 = {"MD5": "a" * 32, "SHA-256": "b" * 64}
        credentials = Credentials("alice", "a.test", ha1, self.phone.names)
        self.outcomes: list[int] = []
        self.registration = Registration(
            self.phone.agent, "alice", "a.test", credentials,
            lambda status, now: self.outcomes.append(status), flow=self.flow,
        )  # fmt: skip
        self.registration.start(self.now)

    def request(self) -> Message:
        assert self.phone.out, "nothing was sent"
        _, data = self.phone.out.pop(0)
        return parse(data)

    def answer(self, message: Message, status: int, *lines: str) -> None:
        self.phone.receive(reply(message, status, to_tag="r", extra=lines), self.flow, self.now)

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.phone.next_timer()) is not None and due <= end:
            self.now = due
            self.phone.handle_timers(due)
        self.now = end


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_22_2_challenge_is_answered_with_the_strongest_hash_we_have(desk: Desk) -> None:
    first = desk.request()
    assert not first.has("Authorization")
    offers = [CHALLENGE.format(n=1, a="MD5"), CHALLENGE.format(n=2, a="SHA-256")]
    desk.answer(first, 401, *offers)
    second = desk.request()
    assert 'nonce="n2"' in (second.value("Authorization") or "")
    assert (second.call_id, second.cseq) == (first.call_id, first.cseq + 1)
    assert second.from_tag == first.from_tag
    desk.answer(second, 200, "Contact: <sip:alice@198.51.100.1:5060>;expires=120")
    assert desk.outcomes == [200]
    assert desk.registration.registered


def test_10_2_4_binding_is_refreshed_at_half_its_time(desk: Desk) -> None:
    desk.answer(desk.request(), 200, "Contact: <sip:alice@198.51.100.1:5060>;expires=120")
    desk.advance(59)
    assert not desk.phone.out
    desk.advance(2)
    assert desk.request().value("Expires") == "300"


def test_10_2_8_too_brief_an_interval_is_made_longer(desk: Desk) -> None:
    desk.answer(desk.request(), 423, "Min-Expires: 1800")
    again = desk.request()
    assert again.value("Expires") == "1800"
    desk.answer(again, 423, "Min-Expires: 1800")
    assert desk.outcomes == [423], "the same answer again is not believed again"


def test_22_2_credentials_that_do_not_fit_are_given_once(desk: Desk) -> None:
    desk.answer(desk.request(), 401, CHALLENGE.format(n=1, a="MD5"))
    desk.answer(desk.request(), 401, CHALLENGE.format(n=2, a="MD5"))
    assert desk.outcomes == [401]
    assert not desk.phone.out
    desk.advance(31)
    assert not desk.request().has("Authorization"), "tried anew after a while"


@pytest.mark.parametrize(
    "challenge",
    [
        CHALLENGE.format(n=1, a="MD5").replace("a.test", "b.test"),
        CHALLENGE.format(n=1, a="SHA-512-256"),
        CHALLENGE.format(n=1, a="MD5").replace('"auth"', '"auth-int"'),
        "WWW-Authenticate: Basic realm=a.test",
        'WWW-Authenticate: Digest realm="a.test',
    ],
)
def test_22_2_challenges_that_we_cannot_answer_are_not(desk: Desk, challenge: str) -> None:
    desk.answer(desk.request(), 401, challenge)
    assert desk.outcomes == [401]
    assert not desk.phone.out


def test_registrar_that_is_away_is_asked_again(desk: Desk) -> None:
    desk.advance(33)
    assert desk.outcomes == [408]
    desk.phone.out.clear()
    desk.advance(31)
    desk.answer(desk.request(), 200)
    assert desk.outcomes == [408, 200]


def test_10_2_2_stop_takes_the_binding_out(desk: Desk) -> None:
    desk.answer(desk.request(), 200)
    desk.registration.stop(desk.now)
    last = desk.request()
    assert last.value("Expires") == "0"
    desk.answer(last, 200)
    assert not desk.registration.registered
    desk.advance(1000)
    assert not desk.phone.out
