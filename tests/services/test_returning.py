"""Phones behind NAT that move, restart or lose their connection while somebody calls them."""

from __future__ import annotations

from tests.services.conftest import registered
from tests.services.user_agents import Phone
from tests.services.wire import Wire

INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"'


def hidden(wire: Wire, number: str = "1002", *, transport: str = "TCP", port: int = 31002) -> Phone:
    return registered(
        wire, number, "203.0.113.2", port, transport=transport, contact_host="10.0.0.2"
    )


def test_a_call_waits_for_a_phone_whose_connection_has_just_broken(
    wire: Wire, alice: Phone
) -> None:
    bob = hidden(wire)
    wire.drop_connection(bob.flow)
    call = alice.call("1002")
    alice.nothing()
    wire.advance(2)
    bob.reconnect(31003)
    assert bob.register().status == 200
    wire.advance(0.3)
    incoming = bob.incoming()
    incoming.ring()
    call.rings()
    incoming.answer()
    call.answered()
    assert wire.row.state == "talking"


def test_a_call_gives_up_when_the_phone_does_not_come_back(wire: Wire, alice: Phone) -> None:
    bob = hidden(wire)
    wire.drop_connection(bob.flow)
    call = alice.call("1002")
    wire.advance(5.9)
    alice.nothing()
    wire.advance(0.2)
    call.fails(480)
    assert wire.row.reason
    bob.reconnect(31003)
    bob.register()
    wire.advance(1)
    bob.nothing()


def test_nobody_waits_for_a_phone_that_went_long_ago(wire: Wire, alice: Phone) -> None:
    bob = hidden(wire)
    wire.drop_connection(bob.flow)
    wire.advance(61)
    alice.call("1002").fails(480)


def test_the_caller_who_hangs_up_is_not_waited_for(wire: Wire, alice: Phone) -> None:
    bob = hidden(wire)
    wire.drop_connection(bob.flow)
    call = alice.call("1002")
    call.cancel()
    call.fails(487)
    alice.response(200)
    bob.reconnect(31003)
    bob.register()
    wire.advance(1)
    bob.nothing()


def test_a_connection_that_breaks_while_the_call_goes_out_is_waited_for(
    wire: Wire, alice: Phone
) -> None:
    bob = hidden(wire)
    call = alice.call("1002")
    bob.request("INVITE")
    wire.drop_connection(bob.flow)
    alice.nothing()
    bob.reconnect(31003)
    bob.register()
    wire.advance(0.3)
    bob.incoming().answer()
    call.answered()


def test_a_second_loss_is_not_waited_for_again(wire: Wire, alice: Phone) -> None:
    bob = hidden(wire)
    call = alice.call("1002")
    bob.request("INVITE")
    wire.drop_connection(bob.flow)
    bob.reconnect(31003)
    bob.register()
    wire.advance(0.3)
    bob.request("INVITE")
    wire.drop_connection(bob.flow)
    call.fails(480)


def test_a_call_follows_a_phone_that_registers_from_another_address(
    wire: Wire, alice: Phone
) -> None:
    """Its NAT has forgotten the old mapping: what was sent there is lost without a sign."""
    bob = hidden(wire, transport="UDP")
    contact = bob.contact
    wire.detach(bob.flow)
    call = alice.call("1002")
    bob.reconnect(31999)
    assert bob.register(contact=contact).status == 200
    wire.advance(0.3)
    incoming = bob.incoming()
    assert incoming.invite.uri == contact.strip("<>")
    incoming.answer()
    call.answered()
    wire.advance(40)
    assert wire.row.state == "talking"


def test_a_call_follows_a_phone_that_restarted_at_another_contact(wire: Wire, alice: Phone) -> None:
    bob = Phone(wire, "1002", "203.0.113.2", 31002, contact_host="10.0.0.2")
    bob.register(contact=f"{bob.contact};{INSTANCE}")
    wire.detach(bob.flow)
    call = alice.call("1002")
    bob.reconnect(31999)
    bob.register(contact=f"{bob.contact};{INSTANCE}")
    wire.advance(0.3)
    bob.incoming().answer()
    call.answered()


def test_a_phone_that_rings_already_is_not_rung_again(wire: Wire, alice: Phone) -> None:
    bob = hidden(wire, transport="UDP")
    contact = bob.contact
    call = alice.call("1002")
    bob.incoming().ring()
    call.rings()
    bob.reconnect(31999)
    bob.register(contact=contact)
    wire.advance(1)
    bob.nothing()


def test_rfc5626_4_3_a_request_in_a_dialog_follows_a_phone_that_registered_from_another_address(
    wire: Wire, alice: Phone
) -> None:
    bob = hidden(wire, transport="UDP")
    contact = bob.contact
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.answer()
    mine = call.answered()
    wire.detach(bob.flow)
    bob.reconnect(31999)
    bob.inbox.clear()
    assert bob.register(contact=contact).status == 200
    mine.request("BYE")
    bye = bob.request("BYE")
    assert bye.uri == contact.strip("<>")


def test_rfc5626_5_3_a_dialog_whose_connection_is_gone_is_430_not_somebody_elses_call(
    wire: Wire, alice: Phone
) -> None:
    """Its Contact is a private address, at which somebody else may be here."""
    bob = hidden(wire)
    call = alice.call("1002")
    bob.incoming().answer()
    mine = call.answered()
    wire.drop_connection(bob.flow)
    sent = len(wire.sent)
    mine.request("INFO")
    alice.response(430)
    assert [flow.remote for flow, _ in wire.sent[sent:]] == [alice.flow.remote]
    bob.reconnect(31999)
    bob.inbox.clear()
    bob.register(contact="<sip:1002@10.0.0.2:31002;transport=tcp>")
    mine.request("INFO")
    bob.request("INFO")
