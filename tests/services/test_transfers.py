"""Transfers through the proxy (RFC 3515, RFC 3891, RFC 5589): every header passes, and the log tells one call."""

from __future__ import annotations

import pytest

from tests.services.conftest import registered
from tests.services.user_agents import Dialog, OutgoingCall, Phone
from tests.services.wire import DOMAIN, Wire


def talking(caller: Phone, callee: Phone, **more: str) -> tuple[OutgoingCall, Dialog, Dialog]:
    call = caller.call(callee.number, **more)
    there = callee.incoming().answer()
    here = call.answered()
    callee.request("ACK")
    return call, here, there


def hang_up(dialog: Dialog, other: Phone) -> None:
    dialog.request("BYE")
    other.reply(other.request("BYE"), 200)
    dialog.phone.response(200)


def refer(dialog: Dialog, other: Phone, to: str, extra: str = "") -> None:
    dialog.request("REFER", extra=f"Refer-To: {to}\n{extra}")
    asked = other.request("REFER")
    assert asked["Refer-To"] == to
    other.reply(asked, 202)
    dialog.phone.response(202)


@pytest.fixture
def people(wire: Wire) -> list[Phone]:
    numbers = enumerate(("1001", "1002", "1003"), 1)
    return [registered(wire, number, f"198.51.100.{at}") for at, number in numbers]


TO_CAROL = f"<sip:1003@{DOMAIN}>"


def test_5589_6_1_a_blind_transfer_is_one_call(wire: Wire, people: list[Phone]) -> None:
    """Bob sends Alice to Carol and hangs up; Alice talks to Carol; one row tells it all."""
    alice, bob, carol = people
    first, _, at_bob = talking(alice, bob)
    wire.advance(10)
    refer(at_bob, alice, TO_CAROL, f"Referred-By: <sip:1002@{DOMAIN}>\n")
    second, here, _ = talking(alice, carol, extra=f"Referred-By: <sip:1002@{DOMAIN}>\n")
    hang_up(at_bob, alice)
    assert wire.row.state == "talking"
    wire.advance(30)
    hang_up(here, carol)
    row = wire.row
    assert (row.state, row.result, row.hangup_by) == ("ended", "answered", "caller")
    assert row.call_ids == [first.call_id, second.call_id]
    assert [leg.target for leg in row.legs] == [f"1002@{DOMAIN}", f"1003@{DOMAIN}"]
    assert row.reason == (
        "Alice (1001) called 1002. Bob (1002) answered after 0 s and they talked for 10 s."
        " Bob (1002) transferred Alice (1001) to Carol (1003), who answered and talked for 30 s."
        " The caller hung up."
    )


def test_5589_6_1_the_bye_may_come_before_the_new_call(wire: Wire, people: list[Phone]) -> None:
    alice, bob, carol = people
    _, _, at_bob = talking(alice, bob)
    refer(at_bob, alice, TO_CAROL)
    hang_up(at_bob, alice)
    assert wire.row.state == "ended"
    _, _, at_carol = talking(alice, carol)
    assert wire.row.state == "talking"
    hang_up(at_carol, alice)
    row = wire.row
    assert (row.state, row.hangup_by) == ("ended", "callee")
    assert "transferred Alice (1001) to Carol (1003)" in row.reason


def test_5589_6_1_the_caller_transfers_the_called_one(wire: Wire, people: list[Phone]) -> None:
    alice, bob, carol = people
    _, at_alice, _ = talking(alice, bob)
    refer(at_alice, bob, TO_CAROL)
    _, here, _ = talking(bob, carol)
    hang_up(at_alice, bob)
    hang_up(here, carol)
    row = wire.row
    assert (row.state, row.hangup_by) == ("ended", "callee"), "Bob, who was called, hung up"
    assert "Alice (1001) transferred Bob (1002) to Carol (1003)" in row.reason


def test_5589_6_2_a_transfer_to_a_busy_phone_leaves_the_call(
    wire: Wire, people: list[Phone]
) -> None:
    alice, bob, carol = people
    _, here, at_bob = talking(alice, bob)
    refer(at_bob, alice, TO_CAROL)
    call = alice.call("1003")
    carol.incoming().reject(486)
    call.fails(486)
    assert wire.row.state == "talking"
    hang_up(here, bob)
    row = wire.row
    assert (row.result, row.hangup_by) == ("answered", "caller")
    assert "transferred Alice (1001) to Carol (1003), who was busy." in row.reason


def test_3891_an_attended_transfer_passes_replaces_and_keeps_the_consultation_apart(
    wire: Wire, people: list[Phone]
) -> None:
    alice, bob, carol = people
    _, _, at_bob = talking(alice, bob)
    asking, _, at_carol = talking(bob, carol)
    replaces = f"{asking.call_id}%3Bto-tag%3Dx%3Bfrom-tag%3D{asking.tag}"
    refer(at_bob, alice, f"<sip:1003@{DOMAIN}?Replaces={replaces}>")
    alice.call("1003", extra=f"Replaces: {asking.call_id};to-tag=x;from-tag={asking.tag}\n")
    incoming = carol.incoming()
    assert incoming.invite["Replaces"].startswith(asking.call_id)
    incoming.send_ok()
    alice.response(200)
    hang_up(at_carol, bob)
    hang_up(at_bob, alice)
    wire.beat()
    rows = sorted(wire.rows.values(), key=lambda row: row.started)
    assert len(rows) == 2, "the call, and Bob's question to Carol"
    talked = next(row for row in rows if row.caller == f"1001@{DOMAIN}")
    assert talked.state == "talking"
    assert len(talked.call_ids) == 2
    asked = next(row for row in rows if row.caller == f"1002@{DOMAIN}")
    assert (asked.result, asked.hangup_by) == ("answered", "callee")


def test_3515_a_notify_finds_its_way_back(people: list[Phone]) -> None:
    alice, bob, _ = people
    _, here, at_bob = talking(alice, bob)
    refer(at_bob, alice, TO_CAROL)
    here.request("NOTIFY", extra="Event: refer\nSubscription-State: terminated;reason=noresource\n")
    notify = bob.request("NOTIFY")
    assert notify["Event"] == "refer"
    bob.reply(notify, 200)
    alice.response(200)


def test_4235_who_has_transferred_is_not_on_the_phone_any_more(
    wire: Wire, people: list[Phone]
) -> None:
    alice, bob, carol = people
    _, _, at_bob = talking(alice, bob)
    refer(at_bob, alice, TO_CAROL)
    talking(alice, carol)
    calls = wire.core._calls
    assert len(calls.with_party(f"1002@{DOMAIN}")) == 1
    hang_up(at_bob, alice)
    assert calls.with_party(f"1002@{DOMAIN}") == []
    assert len(calls.with_party(f"1003@{DOMAIN}")) == 1
    assert wire.row.state == "talking"


def test_a_call_that_nobody_asked_for_is_a_call_of_its_own(wire: Wire, people: list[Phone]) -> None:
    alice, bob, carol = people
    _, _, at_bob = talking(alice, bob)
    refer(at_bob, alice, f"<sip:1004@{DOMAIN}>")
    talking(alice, carol)
    wire.advance(61)
    alice.call("1004").fails(480)
    wire.beat()
    assert len(wire.rows) == 3


def test_after_a_restart_the_second_half_still_ends_the_row(
    wire: Wire, people: list[Phone]
) -> None:
    alice, bob, carol = people
    _, _, at_bob = talking(alice, bob)
    refer(at_bob, alice, TO_CAROL)
    _, here, _ = talking(alice, carol)
    hang_up(at_bob, alice)
    wire.restart()
    hang_up(here, carol)
    row = wire.row
    assert (row.state, row.result, row.hangup_by) == ("ended", "answered", "caller")


@pytest.mark.parametrize("broken", ["", "<sip:", "tel:+1", "<sip:1003@[::>", "?" * 900])
def test_3515_a_broken_refer_to_harms_nobody(wire: Wire, people: list[Phone], broken: str) -> None:
    alice, bob, _ = people
    _, here, at_bob = talking(alice, bob)
    at_bob.request("REFER", extra=f"Refer-To: {broken}\n")
    alice.reply(alice.request("REFER"), 400)
    bob.response(400)
    hang_up(here, bob)
    assert wire.row.result == "answered"
