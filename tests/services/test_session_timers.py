"""Session timers through the proxy (RFC 4028 §8): asked for, refused, and what becomes of dead calls."""

from __future__ import annotations

import pytest

from sipengine.api import Domain
from tests.services.conftest import World, registered
from tests.services.user_agents import Dialog, OutgoingCall, Phone
from tests.services.wire import DOMAIN, Wire

Timed = tuple[Wire, Phone, Phone]
TIMER = "Supported: timer\n"


@pytest.fixture
def timed(world: World) -> Timed:
    wire = world(domains=(Domain(DOMAIN, session_expires=1800),))
    return wire, registered(wire, "1001", "198.51.100.1"), registered(wire, "1002", "198.51.100.2")


def answered(
    alice: Phone, bob: Phone, extra: str = TIMER, told: str = ""
) -> tuple[OutgoingCall, Dialog, Dialog]:
    """A call whose 200 has the headers `told`."""
    call = alice.call("1002", extra=extra)
    incoming = bob.incoming()
    headers = f"{incoming.contact}\n{told}"
    bob.reply(incoming.invite, 200, "OK", tag=incoming.tag, extra=headers)
    response = alice.inbox[0]
    dialog = call.answered()
    call.extra = str(response)
    bob.request("ACK")
    return call, dialog, incoming.dialog()


def test_4028_8_1_the_settings_ask(timed: Timed) -> None:
    _, alice, bob = timed
    alice.call("1002", extra=TIMER)
    assert bob.request("INVITE")["Session-Expires"] == "1800"


def test_4028_8_1_nothing_is_asked_without_the_setting(alice: Phone, bob: Phone) -> None:
    alice.call("1002", extra=TIMER)
    assert bob.request("INVITE").all("Session-Expires") == []


def test_4028_8_1_a_longer_one_is_shortened_its_refresher_kept(timed: Timed) -> None:
    _, alice, bob = timed
    alice.call("1002", extra=TIMER + "Session-Expires: 7200;refresher=uas\n")
    assert bob.request("INVITE").all("Session-Expires") == ["1800;refresher=uas"]


def test_4028_8_1_but_not_below_the_callers_minimum(timed: Timed) -> None:
    _, alice, bob = timed
    alice.call("1002", extra=TIMER + "Session-Expires: 7200\nMin-SE: 3600\n")
    assert bob.request("INVITE")["Session-Expires"] == "3600"


def test_4028_8_1_a_shorter_one_stays(timed: Timed) -> None:
    _, alice, bob = timed
    alice.call("1002", extra=TIMER + "x: 300\n")
    invite = bob.request("INVITE")
    assert invite["x"] == "300"


def test_4028_8_1_too_short_422_with_min_se(wire: Wire, alice: Phone, bob: Phone) -> None:
    call = alice.call("1002", extra=TIMER + "Session-Expires: 60\n")
    assert call.fails(422)["Min-SE"] == "90"
    bob.nothing()
    assert wire.rows == {}


def test_4028_8_1_too_short_from_one_who_knows_no_422_is_raised(alice: Phone, bob: Phone) -> None:
    alice.call("1002", extra="Session-Expires: 60\n")
    invite = bob.request("INVITE")
    assert (invite["Session-Expires"], invite["Min-SE"]) == ("90", "90")


@pytest.mark.parametrize("value", ["", "soon", "-5", "99999999999", "٣"])
def test_4028_a_broken_one_is_refused(alice: Phone, bob: Phone, value: str) -> None:
    call = alice.call("1002", extra=f"{TIMER}Session-Expires: {value}\n")
    call.fails(400)
    bob.nothing()


def test_4028_8_2_the_caller_confirms_for_a_called_phone_that_cannot(timed: Timed) -> None:
    wire, alice, bob = timed
    call, _, _ = answered(alice, bob)
    assert "Session-Expires: 1800;refresher=uac" in call.extra
    assert "Require: timer" in call.extra
    wire.advance(1790)
    assert wire.row.state == "talking"
    wire.advance(30)
    row = wire.row
    assert (row.state, row.result, row.hangup_by) == ("ended", "answered", "system")
    assert "no longer confirmed" in row.reason


def test_4028_8_2_no_timer_where_neither_phone_knows_it(timed: Timed) -> None:
    wire, alice, bob = timed
    call, _, _ = answered(alice, bob, extra="")
    assert "Session-Expires" not in call.extra
    wire.advance(4000)
    assert wire.row.state == "talking"


def test_4028_8_the_phones_own_agreement_is_watched_without_any_setting(
    wire: Wire, alice: Phone, bob: Phone
) -> None:
    told = "Require: timer\nSession-Expires: 120;refresher=uas\n"
    answered(alice, bob, told=told)
    wire.advance(140)
    assert "no longer confirmed" in wire.row.reason


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_4028_a_refresh_by_either_method_keeps_the_call(timed: Timed, method: str) -> None:
    wire, alice, bob = timed
    _, _, there = answered(alice, bob, told="Require: timer\nSession-Expires: 200;refresher=uas\n")
    for _ in range(5):
        wire.advance(150)
        there.request(method, extra=f"{TIMER}Session-Expires: 200;refresher=uac\n")
        refresh = alice.request(method)
        alice.reply(
            refresh, 200, extra=f"Contact: {alice.contact}\nSession-Expires: 200;refresher=uac\n"
        )
        while bob.inbox:
            bob.receive()
        if method == "INVITE":
            there.ack()
            alice.request("ACK")
    assert wire.row.state == "talking"
    wire.advance(220)
    assert wire.row.state == "ended"


def test_4028_8_a_call_that_nobody_confirms_after_a_restart_ends_too(
    wire: Wire, alice: Phone, bob: Phone
) -> None:
    answered(alice, bob, told="Require: timer\nSession-Expires: 120;refresher=uas\n")
    wire.advance(60)
    wire.restart()
    wire.advance(100)
    assert wire.row.state == "talking"
    wire.advance(40)
    assert "no longer confirmed" in wire.row.reason


def test_4028_8_a_call_whose_timer_was_given_up_outlives_a_restart(timed: Timed) -> None:
    wire, alice, bob = timed
    _, _, there = answered(alice, bob, told="Require: timer\nSession-Expires: 200;refresher=uas\n")
    assert wire.row.session_interval == 200
    there.request("UPDATE")
    alice.reply(alice.request("UPDATE"), 200, extra=f"Contact: {alice.contact}\n")
    assert wire.row.session_interval == 0
    wire.restart()
    wire.advance(1000)
    assert wire.row.state == "talking"


def test_4028_8_2_a_refresh_without_a_timer_ends_the_watch(timed: Timed) -> None:
    wire, alice, bob = timed
    _, _, there = answered(alice, bob, told="Require: timer\nSession-Expires: 200;refresher=uas\n")
    there.request("UPDATE")
    alice.reply(alice.request("UPDATE"), 200, extra=f"Contact: {alice.contact}\n")
    wire.advance(1000)
    assert wire.row.state == "talking"


def test_4028_a_bye_is_enough(timed: Timed) -> None:
    wire, alice, bob = timed
    _, dialog, _ = answered(alice, bob)
    dialog.request("BYE")
    bob.reply(bob.request("BYE"), 200)
    alice.response(200)
    wire.advance(2000)
    assert wire.row.hangup_by == "caller"
    assert wire.core.next_timer() is None or wire.transactions == 0
