"""Text messages: handed on, kept for who is away, delivered when he is back (RFC 3428)."""

from __future__ import annotations

from typing import Any

import pytest

from sipengine.services.messages import kept as limits
from sipengine.services.messages.delivering import NEVER
from tests.services.conftest import registered
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire

BOB = f"sip:1002@{DOMAIN}"
PLAIN = "Content-Type: text/plain\n"
DAY = 86400.0


def send(phone: Phone, text: str = "hello", *, extra: str = PLAIN, to: str = BOB) -> str:
    return phone.authenticated("MESSAGE", to, extra=extra, body=text)


def keep(phone: Phone, text: str = "hello", **more: str) -> None:
    """Send one to Bob, who is away; the answer comes once it is durable."""
    send(phone, text, **more)
    phone.nothing()
    phone.wire.beat()
    assert phone.response(202).to_tag


def back(wire: Wire, host: str = "198.51.100.2", **more: Any) -> Phone:
    """Bob registers, and a moment passes."""
    bob = registered(wire, "1002", host, **more)
    wire.beat()
    bob.nothing()
    wire.advance(1.05)
    return bob


class TestAtOnce:
    def test_3428_4_every_phone_gets_it(self, wire: Wire, alice: Phone) -> None:
        phones = [registered(wire, "1002", f"198.51.100.{20 + at}") for at in range(2)]
        send(alice)
        for phone in phones:
            request = phone.request("MESSAGE")
            assert request.body == "hello"
            phone.reply(request, 200)
        alice.response(200)
        wire.beat()
        assert wire.kept == {}

    @pytest.mark.parametrize(("size", "status"), [(1300, 202), (1301, 513)])
    def test_3428_8_too_large_is_513(self, alice: Phone, size: int, status: int) -> None:
        send(alice, "x" * size)
        alice.wire.beat()
        alice.response(status)

    def test_a_refusal_goes_back(self, wire: Wire, alice: Phone, bob: Phone) -> None:
        send(alice)
        bob.reply(bob.request("MESSAGE"), 603)
        alice.response(603)
        wire.beat()
        assert wire.kept == {}


class TestKept:
    def test_202_only_once_it_is_durable(self, wire: Wire, alice: Phone) -> None:
        send(alice)
        alice.nothing()
        assert wire.core.answers_waiting
        wire.beat()
        alice.response(202)
        (message,) = wire.kept.values()
        assert (message.recipient, message.sender, message.body) == (
            f"1002@{DOMAIN}", f"1001@{DOMAIN}", "hello",
        )  # fmt: skip
        assert message.expires_at - message.sent_at == 7 * DAY

    def test_503_when_it_cannot_be_made_durable(self, wire: Wire, alice: Phone) -> None:
        send(alice)
        wire.core.take_facts()
        wire.core.facts_lost()
        wire.settle()
        assert alice.response(503)["Retry-After"]
        wire.beat()
        assert wire.kept == {}
        assert wire.core.counters()["messages_kept_now"] == 0

    def test_the_same_request_again_is_the_same_message(self, wire: Wire, alice: Phone) -> None:
        send(alice)
        wire.beat()
        alice.response(202)
        alice.send(alice.last)
        wire.beat()
        alice.response(202)
        assert len(wire.kept) == 1

    def test_3428_7_delivered_on_the_next_register_in_order(self, wire: Wire, alice: Phone) -> None:
        for text in ("one", "two", "three"):
            keep(alice, text)
            wire.advance(60)
        bob = back(wire)
        for text in ("one", "two", "three"):
            request = bob.request("MESSAGE")
            bob.nothing()
            assert request.body == text
            assert request.uri == bob.contact.strip("<>")
            assert f"<{alice.aor}>;tag=" in request["From"]
            assert request["To"] == f"<{BOB}>"
            assert request["Content-Type"] == "text/plain"
            assert request["CSeq"] == "1 MESSAGE"
            bob.reply(request, 200)
        bob.nothing()
        wire.beat()
        assert wire.kept == {}
        bob.register()
        wire.advance(5)
        bob.nothing()

    def test_20_17_the_date_is_when_it_was_sent(self, wire: Wire, alice: Phone) -> None:
        keep(alice)
        wire.advance(3 * DAY)
        assert back(wire).request("MESSAGE")["Date"] == "Fri, 15 Jan 2027 08:16:40 GMT"

    def test_names_and_umlauts_come_as_they_went(self, wire: Wire, alice: Phone) -> None:
        keep(alice, "Grüße, 你好 \U0001f600")
        bob = back(wire)
        assert bob.request("MESSAGE").body == "Grüße, 你好 \U0001f600"

    def test_what_is_no_text_is_not_kept(self, wire: Wire, alice: Phone) -> None:
        alice.authenticated("MESSAGE", BOB, extra="Content-Encoding: gzip\n", body="x")
        alice.response(480)

    def test_it_is_kept_for_a_week(self, wire: Wire, alice: Phone) -> None:
        keep(alice)
        wire.advance(7 * DAY + 1000)
        wire.beat()
        assert wire.kept == {}
        back(wire).nothing()

    def test_3428_5_the_sender_may_ask_for_less(self, wire: Wire, alice: Phone) -> None:
        keep(alice, extra=f"{PLAIN}Expires: 60\n")
        wire.advance(61)
        back(wire).nothing()

    def test_3428_5_what_expires_at_once_is_not_kept(self, wire: Wire, alice: Phone) -> None:
        send(alice, extra=f"{PLAIN}Expires: 0\n")
        alice.response(480)

    @pytest.mark.pure
    def test_so_many_for_one_user(
        self, wire: Wire, alice: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MAX_OF_USER", 2)
        keep(alice)
        keep(alice)
        send(alice)
        assert "too many" in alice.response(480).start

    def test_a_phone_that_cannot_be_reached_gets_it_when_it_is_back(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        send(alice)
        wire.bounce(bob.flow)
        wire.beat()
        alice.response(202)
        bob.inbox.clear()
        wire.attach(bob, "UDP", bob.host, 5060)
        assert bob.register().status == 200
        wire.advance(1.05)
        assert bob.request("MESSAGE").body == "hello"

    @pytest.mark.parametrize("status", [480, 503])
    def test_a_phone_that_says_nobody_is_there(
        self, wire: Wire, alice: Phone, bob: Phone, status: int
    ) -> None:
        send(alice)
        bob.reply(bob.request("MESSAGE"), status)
        wire.beat()
        alice.response(202)

    def test_no_such_extension_is_404(self, alice: Phone) -> None:
        send(alice, to=f"sip:7777@{DOMAIN}")
        alice.response(404)

    def test_nobody_leaves_a_message_without_a_password(self, wire: Wire, alice: Phone) -> None:
        alice.other_request("MESSAGE", BOB, body="spam")
        alice.response(407)
        wire.beat()
        assert wire.kept == {}


class TestDelivery:
    def test_no_answer_leaves_it_for_the_next_time(self, wire: Wire, alice: Phone) -> None:
        keep(alice)
        bob = back(wire)
        wire.advance(40)
        assert bob.request("MESSAGE")
        bob.inbox.clear()
        wire.beat()
        assert len(wire.kept) == 1
        bob.register()
        wire.advance(1.05)
        bob.reply(bob.request("MESSAGE"), 200)
        wire.beat()
        assert wire.kept == {}

    @pytest.mark.parametrize("status", sorted(NEVER))
    def test_what_is_refused_for_good_is_thrown_away(
        self, wire: Wire, alice: Phone, status: int
    ) -> None:
        keep(alice, "one")
        keep(alice, "two")
        bob = back(wire)
        bob.reply(bob.request("MESSAGE"), status)
        assert bob.request("MESSAGE").body == "two"

    @pytest.mark.parametrize("status", [404, 480, 486, 500, 503])
    def test_what_is_refused_for_now_waits(self, wire: Wire, alice: Phone, status: int) -> None:
        keep(alice)
        bob = back(wire)
        bob.reply(bob.request("MESSAGE"), status)
        wire.advance(60)
        bob.nothing()
        bob.register()
        wire.advance(1.05)
        assert bob.request("MESSAGE")

    def test_of_two_phones_one_is_enough(self, wire: Wire, alice: Phone) -> None:
        keep(alice, "one")
        keep(alice, "two")
        desk = registered(wire, "1002", "198.51.100.2")
        mobile = registered(wire, "1002", "198.51.100.3")
        wire.advance(1.05)
        first = mobile.request("MESSAGE")
        assert desk.request("MESSAGE").body == "one"
        mobile.reply(first, 200)
        second = mobile.request("MESSAGE")
        assert second.body == "two"
        mobile.reply(second, 200)
        wire.beat()
        assert wire.kept == {}

    def test_an_anonymous_sender_stays_so(self, wire: Wire, alice: Phone) -> None:
        keep(alice)
        (message,) = wire.kept.values()
        assert message.from_uri == alice.aor

    def test_it_outlives_the_engine(self, wire: Wire, alice: Phone) -> None:
        keep(alice, "one")
        keep(alice, "two")
        wire.restart()
        assert wire.core.counters()["messages_kept_now"] == 2
        bob = back(wire)
        for text in ("one", "two"):
            request = bob.request("MESSAGE")
            assert request.body == text
            bob.reply(request, 200)
        wire.beat()
        assert wire.kept == {}
        wire.restart()
        assert wire.core.counters()["messages_kept_now"] == 0

    def test_over_tcp(self, wire: Wire, alice: Phone) -> None:
        keep(alice)
        bob = back(wire, transport="TCP", port=40002)
        request = bob.request("MESSAGE")
        assert request["Via"].startswith("SIP/2.0/TCP")
        bob.reply(request, 200)
        assert wire.transactions == 0 or wire.core.counters()["messages_kept_now"] == 0

    def test_quotes_in_a_name(self, wire: Wire, alice: Phone) -> None:
        keep(alice)
        (message,) = wire.kept.values()
        message.sender_name = 'A "B" \\ Ü'
        request = back(wire).request("MESSAGE")
        assert request["From"].startswith('"A \\"B\\" \\\\ Ü" <')
