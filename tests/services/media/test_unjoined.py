"""A browser with which no media connection comes about: the call ends, and its row says why (RFC 5763 §5)."""

from __future__ import annotations

import pytest

from tests.services.media.anchored import FIGURES, TYPE, WEB, Anchored
from tests.services.media.test_own_calls_by_gateway import echo
from tests.services.user_agents import Dialog, Phone


@pytest.fixture
def mine(wire: Anchored, web: Phone, bob: Phone) -> Dialog:
    """The browser's side of a call with Bob that has just been answered."""
    call = web.call("1002", body=WEB)
    wire.gateway("offer")
    bob.incoming().answer()
    wire.gateway("answer")
    dialog = call.answered()
    bob.request("ACK")
    return dialog


@pytest.mark.parametrize(
    ("side", "fault", "words"),
    [
        ("caller", "certificate", "the caller's browser showed another certificate than"),
        ("callee", "certificate", "the called browser showed another certificate than"),
        ("caller", "protection", "the caller's browser would not encrypt its audio"),
        ("caller", "handshake", "the caller's browser and the media gateway could not agree on keys"),
        ("caller", "unreachable", "nothing from the caller's browser reached the media gateway"),
    ],
)  # fmt: skip
def test_rfc5763_5_a_browser_that_cannot_be_joined_ends_the_call_towards_both(
    wire: Anchored, mine: Dialog, web: Phone, bob: Phone, side: str, fault: str, words: str
) -> None:
    wire.advance(11)
    wire.gateway("query", figures=FIGURES, fault=(side, fault))
    for phone in (web, bob):
        bye = phone.request("BYE")
        assert "cause=488" in bye["Reason"]
        phone.reply(bye, 200, "OK")
    assert (wire.row.state, wire.row.hangup_by) == ("ended", "system")
    assert f"The call was closed because {words}" in wire.row.reason
    wire.gateway("delete", figures=FIGURES)
    counters = wire.core.counters()
    assert (counters["media_unjoined"], counters["media_left_alone"]) == (1, 0)
    assert counters["media_calls_now"] == 0


def test_while_it_may_yet_be_joined_it_is_looked_at_every_few_seconds(
    wire: Anchored, mine: Dialog, bob: Phone
) -> None:
    wire.advance(11)
    for _ in range(3):
        wire.gateway("query", figures=FIGURES, waits=True)
        bob.nothing()
        wire.advance(6)
    wire.gateway("query", figures=FIGURES)
    wire.advance(6)
    assert not wire.plane.asked  # joined: the next usual look is far away
    assert wire.row.state == "talking"


def test_a_page_that_was_loaded_anew_is_looked_at_soon(
    wire: Anchored, mine: Dialog, web: Phone, bob: Phone
) -> None:
    """Its new certificate may be as wrong as a first one (RFC 8842 §5.1)."""
    wire.advance(11)
    wire.gateway("query", figures=FIGURES)
    mine.request("INVITE", extra=TYPE, body=WEB)
    web.response(100)
    wire.gateway("offer")
    bob.incoming().send_ok()
    wire.gateway("answer")
    web.response(200)
    mine.ack()
    bob.request("ACK")
    wire.advance(11)
    wire.gateway("query", figures=FIGURES, fault=("caller", "certificate"))
    bob.request("BYE")
    assert "another certificate" in wire.row.reason


def test_a_fault_that_is_not_known_here_ends_nothing(
    wire: Anchored, mine: Dialog, bob: Phone
) -> None:
    """A gateway of a later version may know more."""
    wire.advance(11)
    wire.gateway("query", figures=FIGURES, fault=("caller", "weather"))
    bob.nothing()
    assert wire.row.state == "talking"


def test_a_call_that_ended_meanwhile_is_not_ended_again(
    wire: Anchored, mine: Dialog, web: Phone, bob: Phone
) -> None:
    wire.advance(11)
    mine.request("BYE")
    wire.plane.asked.reverse()
    wire.gateway("delete", figures=FIGURES)
    bob.reply(bob.request("BYE"), 200, "OK")
    web.response(200)
    wire.gateway("query", figures=FIGURES, fault=("caller", "certificate"))
    bob.nothing()
    assert wire.row.hangup_by == "caller"
    assert wire.core.counters()["media_unjoined"] == 0


def test_the_echo_test_says_it_too(wire: Anchored, web: Phone) -> None:
    echo(wire, web)
    wire.advance(11)
    wire.gateway("query", fault=("caller", "certificate"))
    web.reply(web.request("BYE"), 200, "OK")
    assert wire.row.hangup_by == "system"
    assert "the caller's browser showed another certificate" in wire.row.reason
    assert "lost it" not in wire.row.reason
