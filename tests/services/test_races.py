"""The races of RFC 5407 with this proxy between the phones, and what else crosses on the way.

Each figure is played message by message: both phones must come to the same end, nothing may hang,
and the call's row must be right.
"""

from __future__ import annotations

import pytest

from tests.services.conftest import registered
from tests.services.user_agents import Dialog, IncomingCall, OutgoingCall, Phone
from tests.services.wire import Wire
from tests.support.wire import uri_of


def talking(alice: Phone, bob: Phone) -> tuple[OutgoingCall, Dialog, Dialog]:
    call = alice.call("1002")
    incoming = bob.incoming()
    there = incoming.answer()
    here = call.answered()
    bob.request("ACK")
    return call, here, there


def over(wire: Wire) -> None:
    """Nothing is left of it."""
    wire.advance(100)
    assert wire.transactions == 0
    assert wire.core.counters()["calls_now"] == 0


def test_rfc6026_7_1_the_ack_crosses_a_repeated_200(wire: Wire, alice: Phone, bob: Phone) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    there = incoming.answer()
    incoming.send_ok()
    here = call.answered()
    assert alice.response(200)["CSeq"] == "2 INVITE"
    here.ack()
    assert [bob.request("ACK")["CSeq"] for _ in range(2)] == ["2 ACK"] * 2
    there.request("BYE")
    alice.reply(alice.request("BYE"), 200)
    bob.response(200)
    over(wire)


def test_rfc5407_3_1_2_cancel_crosses_the_200(wire: Wire, alice: Phone, bob: Phone) -> None:
    """The CANCEL comes after the 200: it is answered, and the caller ends the call by BYE."""
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    alice.response(180)
    incoming.send_ok()
    call.cancel()
    here = call.answered()
    alice.response(200)
    bob.request("ACK")
    bob.nothing()
    here.request("BYE")
    bob.reply(bob.request("BYE"), 200)
    alice.response(200)
    row = wire.row
    assert (row.result, row.hangup_by) == ("answered", "caller")
    over(wire)


def early(alice: Phone, call: OutgoingCall) -> Dialog:
    """The early dialog of the next 180."""
    ringing = alice.response(180)
    return Dialog(
        alice, call.call_id, call.local, ringing["To"], uri_of(ringing["Contact"]),
        ringing.all("Record-Route")[::-1], call.cseq,
    )  # fmt: skip


def test_rfc5407_appendix_a_bye_ends_the_early_dialog(wire: Wire, alice: Phone, bob: Phone) -> None:
    """The callee answers it and then the INVITE with 487: nobody has talked, the caller gave up."""
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    early(alice, call).request("BYE")
    bob.reply(bob.request("BYE"), 200)
    alice.response(200)
    assert wire.row.state != "ended", "the INVITE has no final answer yet"
    incoming.reject(487)
    call.fails(487)
    row = wire.row
    assert (row.state, row.result, row.hangup_by) == ("ended", "cancelled", "caller")
    over(wire)


@pytest.mark.parametrize("first", ["INVITE", "BYE"])
def test_rfc5407_3_1_3_bye_of_the_early_dialog_crosses_the_200(
    wire: Wire, alice: Phone, bob: Phone, first: str
) -> None:
    """The call is over once both are answered, whichever answer comes first."""
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    early(alice, call).request("BYE")
    bye = bob.request("BYE")
    if first == "BYE":
        bob.reply(bye, 200)
        alice.response(200)
    incoming.send_ok()
    call.answered()
    bob.request("ACK")
    if first == "INVITE":
        bob.reply(bye, 200)
        alice.response(200)
    row = wire.row
    assert (row.state, row.result, row.hangup_by) == ("ended", "answered", "caller")
    over(wire)


def test_bye_of_one_early_dialog_of_a_fork_leaves_the_other_to_answer(
    wire: Wire, alice: Phone
) -> None:
    one, two = (registered(wire, "1002", f"198.51.100.{at}") for at in (21, 22))
    call = alice.call("1002")
    ringing, answering = one.incoming(), two.incoming()
    ringing.ring()
    early(alice, call).request("BYE")
    one.reply(one.request("BYE"), 200)
    alice.response(200)
    answering.send_ok()
    call.answered()
    two.request("ACK")
    assert wire.row.state == "talking"


def test_rfc5407_3_3_1_the_callees_reinvite_overtakes_the_ack(
    wire: Wire, alice: Phone, bob: Phone
) -> None:
    """The ACK is late; the called phone's re-INVITE overtakes it and is answered 491."""
    call = alice.call("1002")
    there = bob.incoming().answer()
    here = call.answered(acknowledge=False)
    there.request("INVITE")
    crossing = alice.request("INVITE")
    alice.reply(crossing, 491)
    assert alice.request("ACK")["CSeq"] == crossing["CSeq"].replace("INVITE", "ACK")
    assert bob.response(100)
    bob.response(491)
    here.ack(call.cseq)
    assert bob.request("ACK")["CSeq"] == f"{call.cseq} ACK"
    assert wire.row.state == "talking"


def test_rfc5407_3_2_1_bye_crosses_bye(wire: Wire, alice: Phone, bob: Phone) -> None:
    _, here, there = talking(alice, bob)
    here.request("BYE")
    there.request("BYE")
    bob.reply(bob.request("BYE"), 200)
    alice.reply(alice.request("BYE"), 200)
    alice.response(200)
    bob.response(200)
    row = wire.row
    assert (row.result, row.hangup_by) == ("answered", "caller")
    over(wire)


def test_rfc5407_3_2_2_reinvite_crosses_bye(wire: Wire, alice: Phone, bob: Phone) -> None:
    _, here, there = talking(alice, bob)
    here.request("INVITE")
    alice.response(100)
    there.request("BYE")
    bob.reply(bob.request("INVITE"), 481)
    bob.request("ACK")
    alice.reply(alice.request("BYE"), 200)
    alice.response(481)
    bob.response(200)
    here.ack(here.cseq)
    assert wire.row.hangup_by == "callee"
    over(wire)


def test_rfc5407_3_3_1_reinvite_crosses_reinvite(wire: Wire, alice: Phone, bob: Phone) -> None:
    """Glare: both are answered 491 and both phones still talk."""
    _, here, there = talking(alice, bob)
    here.request("INVITE")
    there.request("INVITE")
    alice.response(100)
    at_alice, at_bob = alice.request("INVITE"), bob.request("INVITE")
    bob.response(100)
    alice.reply(at_alice, 491)
    alice.request("ACK")
    bob.response(491)
    bob.reply(at_bob, 491)
    bob.request("ACK")
    alice.response(491)
    assert wire.row.state == "talking"


def test_rfc5407_3_3_2_update_crosses_reinvite(wire: Wire, alice: Phone, bob: Phone) -> None:
    _, here, there = talking(alice, bob)
    here.request("INVITE")
    there.request("UPDATE")
    alice.response(100)
    at_bob = bob.request("INVITE")
    alice.reply(alice.request("UPDATE"), 491)
    bob.response(491)
    bob.reply(at_bob, 491)
    bob.request("ACK")
    alice.response(491)
    assert wire.row.state == "talking"


def test_rfc3515_2_4_refer_crosses_reinvite(wire: Wire, alice: Phone, bob: Phone) -> None:
    _, here, there = talking(alice, bob)
    here.request("INVITE")
    there.request("REFER", extra="Refer-To: <sip:1003@pbx.test>\n")
    alice.response(100)
    at_bob = bob.request("INVITE")
    alice.reply(alice.request("REFER"), 202)
    bob.response(202)
    bob.reply(at_bob, 200, extra=f"Contact: {bob.contact}")
    assert alice.response(200)
    here.ack(here.cseq)
    bob.request("ACK")


def test_rfc3261_17_2_2_the_bye_is_overtaken_by_its_own_repeat(
    wire: Wire, alice: Phone, bob: Phone
) -> None:
    _, here, _ = talking(alice, bob)
    branch = here.request("BYE")
    here.request("BYE", number=here.cseq, branch=branch)
    bob.reply(bob.request("BYE"), 200)
    bob.nothing()
    alice.response(200)
    over(wire)


def test_3262_3_a_reliable_ring_and_its_prack_pass(wire: Wire, alice: Phone, bob: Phone) -> None:
    """100rel is end to end: RSeq, RAck and the early dialog's own offers go through (RFC 3262, RFC 3311)."""
    call = alice.call("1002", extra="Supported: 100rel\n")
    incoming = bob.incoming()
    assert incoming.invite["Supported"] == "100rel"
    headers = f"{incoming.contact}\nRequire: 100rel\nRSeq: 988\n"
    bob.reply(incoming.invite, 183, "Session Progress", tag=incoming.tag, extra=headers)
    progress = alice.response(183)
    assert (progress["RSeq"], progress["Require"]) == ("988", "100rel")
    early = Dialog(
        alice, call.call_id, call.local, progress["To"], uri_of(progress["Contact"]),
        progress.all("Record-Route")[::-1], call.cseq,
    )  # fmt: skip
    early.request("PRACK", extra=f"RAck: 988 {call.cseq} INVITE\n")
    prack = bob.request("PRACK")
    assert prack["RAck"] == f"988 {call.cseq} INVITE"
    bob.reply(prack, 200)
    alice.response(200)
    incoming.dialog().request("UPDATE")
    alice.reply(alice.request("UPDATE"), 200, extra=f"Contact: {alice.contact}")
    bob.response(200)
    incoming.send_ok()
    call.answered()
    bob.request("ACK")
    assert wire.row.state == "talking"


def test_3262_4_prack_to_each_of_two_early_dialogs(wire: Wire, alice: Phone) -> None:
    one, two = (registered(wire, "1002", f"198.51.100.{at}") for at in (21, 22))
    call = alice.call("1002", extra="Supported: 100rel\n")
    for phone in (one, two):
        incoming: IncomingCall = phone.incoming()
        headers = f"{incoming.contact}\nRequire: 100rel\nRSeq: 1\n"
        phone.reply(incoming.invite, 180, "Ringing", tag=incoming.tag, extra=headers)
        ringing = alice.response(180)
        early = Dialog(
            alice, call.call_id, call.local, ringing["To"], uri_of(ringing["Contact"]),
            ringing.all("Record-Route")[::-1], call.cseq,
        )  # fmt: skip
        early.request("PRACK", extra=f"RAck: 1 {call.cseq} INVITE\n")
        phone.reply(phone.request("PRACK"), 200)
        alice.response(200)


def test_3326_8606_several_reasons_and_where_they_come_from_pass(alice: Phone, bob: Phone) -> None:
    call = alice.call("1002")
    bob.incoming().ring()
    alice.response(180)
    call.cancel('Reason: SIP;cause=487\nReason: Q.850;cause=16;location=LN;text="Bye"\n')
    assert bob.request("CANCEL").all("Reason") == [
        "SIP;cause=487",
        'Q.850;cause=16;location=LN;text="Bye"',
    ]
