"""A gateway is lost in mid-call, and the browser, which hears nothing, offers anew to the next."""

from __future__ import annotations

import pytest

from tests.services.media.anchored import FIGURES, SRTP, TYPE, WEB, Anchored
from tests.services.user_agents import Dialog, Phone

MENDED = "Its media gateway failed meanwhile, and the call went on by another."


@pytest.fixture
def mine(wire: Anchored, web: Phone, bob: Phone) -> Dialog:
    """The browser's side of a call with Bob, of which gateway 0 has been lost."""
    call = web.call("1002", body=WEB)
    wire.gateway("offer")
    bob.incoming().answer()
    wire.gateway("answer")
    dialog = call.answered()
    bob.request("ACK")
    wire.plane.listener.on_gateway_lost(0, wire.now)
    return dialog


def offer_anew(wire: Anchored, mine: Dialog, web: Phone, bob: Phone, by: int) -> None:
    mine.request("INVITE", extra=TYPE, body=WEB)
    web.response(100)
    wire.gateway("offer", by=by)
    bob.incoming().send_ok()
    assert wire.gateway("answer", by=by).instance == by
    web.response(200)
    mine.ack()
    bob.request("ACK")


def hang_up(wire: Anchored, mine: Dialog, bob: Phone, instance: int) -> str:
    mine.request("BYE")
    assert wire.gateway("delete", figures=FIGURES).instance == instance
    bob.reply(bob.request("BYE"), 200, "OK")
    assert wire.row.hangup_by == "caller"
    return wire.row.reason


@pytest.mark.parametrize("by", [0, 1], ids=["started-anew", "the-other"])
def test_the_call_goes_on_by_the_gateway_that_took_the_offer(
    wire: Anchored, mine: Dialog, web: Phone, bob: Phone, by: int
) -> None:
    wire.advance(6)
    wire.gateway("query", ok=False, status=503)
    offer_anew(wire, mine, web, bob, by)
    for _ in range(2):
        wire.advance(6)
        assert wire.gateway("query", figures=FIGURES).instance == by
        wire.advance(31)
    assert wire.core.counters()["media_mended_calls"] == 1
    assert wire.core.counters()["media_lost_calls"] == 0
    wire.plane.asked.clear()
    assert MENDED in hang_up(wire, mine, bob, by)


def test_rfc3311_5_an_update_takes_it_to_the_other_gateway_too(
    wire: Anchored, mine: Dialog, web: Phone, bob: Phone
) -> None:
    mine.request("UPDATE", extra=TYPE, body=WEB)
    wire.gateway("offer", by=1)
    bob.reply(bob.request("UPDATE"), 200, "OK", body=SRTP)
    assert wire.gateway("answer").instance == 1
    web.response(200)
    assert MENDED in hang_up(wire, mine, bob, 1)


def test_a_gateway_that_was_only_slow_is_no_failure(
    wire: Anchored, mine: Dialog, web: Phone, bob: Phone
) -> None:
    wire.advance(6)
    wire.gateway("query", figures=FIGURES)
    offer_anew(wire, mine, web, bob, 0)
    assert wire.core.counters()["media_mended_calls"] == 0
    assert MENDED not in hang_up(wire, mine, bob, 0)


def test_a_phone_that_refuses_our_bye_gets_it_once(
    wire: Anchored, mine: Dialog, web: Phone, bob: Phone
) -> None:
    for _ in range(3):
        wire.advance(6)
        wire.gateway("query", ok=False, status=503)
    for phone in (web, bob):
        phone.reply(phone.request("BYE"), 481, "Call/Transaction Does Not Exist")
    wire.advance(40)
    for phone in (web, bob):
        phone.nothing()
    assert wire.core.take_drops() == []
