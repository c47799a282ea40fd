"""Requests within a dialog: both ways, behind NAT, across transports, after a restart (RFC 3261 §12.2, §16.4)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.conftest import World, registered
from tests.services.user_agents import Dialog, Phone
from tests.services.wire import DOMAIN, SERVER, Wire
from tests.support.wire import parameter, uri_of


def talk(caller: Phone, callee: Phone) -> tuple[Dialog, Dialog]:
    """A call that is answered and acknowledged; the caller's and the callee's dialog."""
    call = caller.call(callee.number)
    incoming = callee.incoming()
    theirs = incoming.answer()
    mine = call.answered()
    callee.request("ACK")
    return mine, theirs


def exchange(dialog: Dialog, other: Phone, method: str = "INFO", **options: Any) -> None:
    """A request goes to the other side and its answer comes back."""
    dialog.request(method, **options)
    request = other.request(method)
    assert request.uri == dialog.target
    assert request.all("Route") == []
    other.reply(request, 200, "OK")
    assert dialog.phone.response(200)["CSeq"] == f"{dialog.cseq} {method}"


def hang_up(dialog: Dialog, other: Phone) -> None:
    exchange(dialog, other, "BYE")
    assert dialog.phone.wire.row.state == "ended"


class TestBothWays:
    def test_13_2_2_4_ack_of_a_2xx_goes_to_the_contact_without_our_route(
        self, alice: Phone, bob: Phone
    ) -> None:
        call = alice.call("1002")
        bob.incoming().answer()
        call.answered()
        ack = bob.request("ACK")
        assert ack.uri == uri_of(bob.contact)
        assert ack.all("Route") == []
        assert len(ack.all("Via")) == 2
        assert ack["Max-Forwards"] == "69"

    def test_17_1_1_3_ack_of_a_2xx_sent_again_goes_on_again(self, alice: Phone, bob: Phone) -> None:
        call = alice.call("1002")
        bob.incoming().answer()
        dialog = call.answered()
        dialog.ack()
        first, second = bob.request("ACK"), bob.request("ACK")
        assert parameter(first["Via"], "branch") != parameter(second["Via"], "branch")

    def test_6026_7_1_an_ack_of_a_2xx_with_the_invites_own_branch_goes_on(
        self, alice: Phone, bob: Phone
    ) -> None:
        """Old phones do not give it a branch of its own."""
        call = alice.call("1002")
        bob.incoming().answer()
        dialog = call.answered(acknowledge=False)
        dialog.ack(branch=call.branch)
        assert bob.request("ACK").uri == uri_of(bob.contact)

    def test_15_bye_from_the_caller(self, alice: Phone, bob: Phone) -> None:
        mine, _ = talk(alice, bob)
        hang_up(mine, bob)
        assert alice.wire.row.hangup_by == "caller"

    def test_15_bye_from_the_callee(self, alice: Phone, bob: Phone) -> None:
        _, theirs = talk(alice, bob)
        hang_up(theirs, alice)
        assert alice.wire.row.hangup_by == "callee"

    @pytest.mark.parametrize("by_caller", [True, False])
    def test_14_re_invite_both_ways(self, alice: Phone, bob: Phone, by_caller: bool) -> None:
        mine, theirs = talk(alice, bob)
        dialog, other = (mine, bob) if by_caller else (theirs, alice)
        dialog.request("INVITE", body="v=0\r\n")
        dialog.phone.response(100)
        request = other.request("INVITE")
        assert request.body == "v=0\r\n"
        assert request.to_tag
        other.reply(request, 200, "OK", body="v=0\r\n", extra=f"Contact: {other.contact}")
        assert dialog.phone.response(200).body == "v=0\r\n"
        dialog.ack()
        assert other.request("ACK").uri == uri_of(other.contact)
        hang_up(mine, bob)
        assert len(alice.wire.rows) == 1

    def test_14_a_refused_re_invite_leaves_the_call_as_it_was(
        self, alice: Phone, bob: Phone
    ) -> None:
        mine, _ = talk(alice, bob)
        branch = mine.request("INVITE")
        alice.response(100)
        request = bob.request("INVITE")
        bob.reply(request, 488, "Not Acceptable Here")
        refused = alice.response(488)
        mine.request("ACK", number=mine.cseq, branch=branch)
        assert refused.to_tag == bob.request("ACK").to_tag
        assert alice.wire.row.state == "talking"
        hang_up(mine, bob)

    def test_16_8_a_re_invite_nobody_answers_ends_with_408(self, alice: Phone, bob: Phone) -> None:
        mine, _ = talk(alice, bob)
        mine.request("INVITE")
        alice.response(100)
        alice.wire.advance(33)
        alice.response(408)
        assert alice.wire.row.state == "talking"

    def test_16_8_timer_c_cancels_a_re_invite_that_rings_for_ever(
        self, alice: Phone, bob: Phone
    ) -> None:
        mine, _ = talk(alice, bob)
        mine.request("INVITE")
        bob.reply(bob.request("INVITE"), 180)
        alice.wire.advance(182)
        assert bob.request("CANCEL")
        assert [message.status for message in alice.inbox][:3] == [100, 180, 408]

    def test_12_2_1_1_in_dialog_requests_need_no_password(self, alice: Phone, bob: Phone) -> None:
        mine, _ = talk(alice, bob)
        exchange(mine, bob, "OPTIONS")

    def test_12_2_2_a_dialog_we_never_relayed_is_481(self, alice: Phone, bob: Phone) -> None:
        alice.other_request("BYE", uri_of(bob.contact), to=f"<{bob.aor}>;tag=made-up")
        alice.response(481)
        bob.nothing()

    def test_3262_prack_and_update_in_an_early_dialog(self, alice: Phone, bob: Phone) -> None:
        call = alice.call("1002")
        incoming = bob.incoming()
        incoming.ring(183)
        early = alice.response(183)
        dialog = Dialog(
            alice, call.call_id, call.local, early["To"], uri_of(early["Contact"]),
            early.all("Record-Route")[::-1], call.cseq,
        )  # fmt: skip
        exchange(dialog, bob, "PRACK", extra=f"RAck: 1 {call.cseq} INVITE\n")
        exchange(incoming.dialog(), alice, "UPDATE")

    @pytest.mark.parametrize("place", [DOMAIN, SERVER[0]])
    def test_12_2_2_a_remote_target_at_this_server_is_481(
        self, alice: Phone, bob: Phone, place: str
    ) -> None:
        """Some who give up say BYE to the address they called, without the route set: no contact
        of the dialog is here, and no name server need be asked where we ourselves are."""
        call = alice.call("1002")
        incoming = bob.incoming()
        incoming.ring()
        early = call.rings()
        dialog = Dialog(
            alice, call.call_id, call.local, early["To"], f"sip:1002@{place}", [], call.cseq
        )
        dialog.request("BYE")
        alice.response(481)
        bob.nothing()


class TestRoutes:
    def test_16_4_a_strict_router_before_us_put_our_uri_into_the_request_uri(
        self, alice: Phone, bob: Phone
    ) -> None:
        mine, _ = talk(alice, bob)
        mine.request("BYE", strict=True)
        bye = bob.request("BYE")
        assert bye.uri == uri_of(bob.contact)
        assert bye.all("Route") == []

    def test_16_6_6_a_strict_router_behind_us_gets_its_uri_as_request_uri(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        router = Phone(wire, "x", "203.0.113.77")
        mine, _ = talk(alice, bob)
        mine.request("BYE", routes=[*mine.routes, "<sip:203.0.113.77>", "<sip:far.example;lr>"])
        bye = router.request("BYE")
        assert bye.uri == "sip:203.0.113.77"
        assert bye.all("Route") == ["<sip:far.example;lr>", f"<{uri_of(bob.contact)}>"]

    def test_16_12_a_loose_router_behind_us_gets_the_request_as_it_is(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        router = Phone(wire, "x", "203.0.113.77")
        mine, _ = talk(alice, bob)
        mine.request("BYE", routes=[*mine.routes, "<sip:203.0.113.77;lr>", "<sip:far.example;lr>"])
        bye = router.request("BYE")
        assert bye.uri == uri_of(bob.contact)
        assert bye.all("Route") == ["<sip:203.0.113.77;lr>", "<sip:far.example;lr>"]

    def test_7_3_1_routes_in_one_line(self, alice: Phone, bob: Phone) -> None:
        mine, _ = talk(alice, bob)
        mine.request("BYE", routes=[f"{mine.routes[0]} , <sip:{SERVER[0]};lr>"])
        assert bob.request("BYE").all("Route") == []

    def test_an_empty_route_header_with_our_own_uri_breaks_nothing(self, alice: Phone) -> None:
        alice.other_request("OPTIONS", f"sip:{SERVER[0]};lr", extra="Route: \n")
        alice.response(200)

    @pytest.mark.parametrize("first", ["UDP", "TCP"])
    def test_5658_3_3_two_record_routes_where_the_transports_differ(
        self, world: World, first: str
    ) -> None:
        wire = world()
        second = "TCP" if first == "UDP" else "UDP"
        alice = registered(wire, "1001", "198.51.100.1", 40001, transport=first)
        bob = registered(wire, "1002", "198.51.100.2", 40002, transport=second)
        call = alice.call("1002")
        incoming = bob.incoming()
        routes = incoming.invite.all("Record-Route")
        assert len(routes) == 2
        towards_bob, towards_alice = routes
        assert ("transport=tcp" in towards_bob) == (second == "TCP")
        assert ("transport=tcp" in towards_alice) == (first == "TCP")
        theirs = incoming.answer()
        mine = call.answered()
        assert bob.request("ACK").all("Route") == []
        exchange(mine, bob)
        exchange(theirs, alice)
        hang_up(theirs, alice)


class TestNat:
    @pytest.fixture
    def hidden(self, wire: Wire) -> Phone:
        """A phone that believes to be 10.0.0.2 and is seen as 203.0.113.2:31002."""
        phone = Phone(wire, "1002", "203.0.113.2", 31002, contact_host="10.0.0.2")
        assert phone.register(contact="<sip:1002@10.0.0.2:5060>").status == 200
        return phone

    def test_a_phone_behind_nat_is_called_and_spoken_to_where_it_was_seen(
        self, alice: Phone, hidden: Phone
    ) -> None:
        mine, theirs = talk(alice, hidden)
        exchange(mine, hidden)
        exchange(theirs, alice)
        hang_up(mine, hidden)

    def test_a_caller_behind_nat_is_reached_too(self, wire: Wire, bob: Phone) -> None:
        hidden = registered(wire, "1001", "203.0.113.1", 31001, contact_host="10.0.0.1")
        _, theirs = talk(hidden, bob)
        exchange(theirs, hidden)
        hang_up(theirs, hidden)

    def test_an_early_dialog_behind_nat(self, alice: Phone, hidden: Phone) -> None:
        call = alice.call("1002")
        incoming = hidden.incoming()
        incoming.ring(183)
        early = alice.response(183)
        dialog = Dialog(
            alice, call.call_id, call.local, early["To"], uri_of(early["Contact"]),
            early.all("Record-Route")[::-1], call.cseq,
        )  # fmt: skip
        exchange(dialog, hidden, "PRACK")

    @pytest.mark.parametrize("with_facts", [True, False])
    def test_after_a_restart_behind_nat(
        self, alice: Phone, hidden: Phone, with_facts: bool
    ) -> None:
        mine, theirs = talk(alice, hidden)
        alice.wire.restart(with_facts=with_facts)
        exchange(mine, hidden)
        exchange(theirs, alice)

    def test_a_peer_that_moves_is_followed(self, wire: Wire, alice: Phone, hidden: Phone) -> None:
        """NAT gave it another port: its own in-dialog request tells."""
        mine, theirs = talk(alice, hidden)
        wire.detach(hidden.flow)
        hidden.reconnect(31999)
        exchange(theirs, alice)
        exchange(mine, hidden)


class TestRestart:
    """D3: `kill -9` of the engine drops no established call, and its row still closes."""

    def test_by_the_restored_call_the_row_closes(self, alice: Phone, bob: Phone) -> None:
        mine, theirs = talk(alice, bob)
        wire = alice.wire
        wire.advance(5)
        wire.restart()
        exchange(theirs, alice)
        wire.advance(5)
        hang_up(mine, bob)
        row = wire.row
        assert (row.result, row.hangup_by) == ("answered", "caller")
        assert row.ended is not None
        assert row.answered is not None
        assert row.ended - row.answered == pytest.approx(10)

    def test_by_the_signed_record_route_alone(self, alice: Phone, bob: Phone) -> None:
        mine, theirs = talk(alice, bob)
        alice.wire.restart(with_facts=False)
        exchange(mine, bob)
        exchange(theirs, alice)
        theirs.request("INVITE")
        bob.response(100)
        request = alice.request("INVITE")
        alice.reply(request, 200, extra=f"Contact: {alice.contact}")
        bob.response(200)
        theirs.ack()
        alice.request("ACK")
        exchange(mine, bob, "BYE")

    @pytest.mark.parametrize("spoil", ["U", "mac", "cut", "none", "call-id"])
    def test_12_2_2_a_forged_note_is_481(self, alice: Phone, bob: Phone, spoil: str) -> None:
        mine, _ = talk(alice, bob)
        alice.wire.restart(with_facts=False)
        route = mine.routes[0]
        if spoil == "U":
            route = route.replace("198.51.100.2", "198.51.100.9")
        elif spoil == "mac":
            route = route[:-2] + ("0" if route[-2] != "0" else "1") + ">"
        elif spoil == "cut":
            route = route.rpartition("!")[0] + ">"
        elif spoil == "none":
            route = f"<sip:{SERVER[0]}:{SERVER[1]};lr>"
        else:
            mine.call_id = "another"
        mine.request("BYE", routes=[route])
        alice.response(481)
        bob.nothing()

    def test_a_stray_ack_with_a_forged_note_goes_nowhere(self, alice: Phone, bob: Phone) -> None:
        mine, _ = talk(alice, bob)
        alice.wire.restart(with_facts=False)
        before = len(alice.wire.sent)
        mine.request("ACK", number=1, routes=[])
        assert len(alice.wire.sent) == before

    def test_a_tcp_callee_that_has_connected_again_is_found_by_its_contact(
        self, world: World
    ) -> None:
        wire = world()
        alice = registered(wire, "1001", "198.51.100.1")
        bob = registered(wire, "1002", "198.51.100.2", 40002, transport="TCP")
        mine, _ = talk(alice, bob)
        wire.restart()
        contact = bob.contact
        bob.reconnect(40777)
        bob.register(contact=contact)
        mine.request("BYE")
        assert bob.request("BYE").uri == uri_of(contact)

    def test_a_call_that_rang_is_closed_as_failed(self, alice: Phone, bob: Phone) -> None:
        alice.call("1002")
        bob.incoming().ring()
        alice.wire.beat()
        alice.wire.restart()
        row = alice.wire.row
        assert (row.state, row.result, row.hangup_by) == ("ended", "failed", "system")
        assert "restarted" in row.reason

    def test_registered_phones_are_called_after_a_restart(self, alice: Phone, bob: Phone) -> None:
        alice.wire.restart()
        talk(alice, bob)


def test_15_1_1_bye_nobody_answers_closes_the_row_and_sends_no_408(
    alice: Phone, bob: Phone
) -> None:
    """RFC 4320 §4.2."""
    mine, _ = talk(alice, bob)
    mine.request("BYE")
    alice.wire.advance(33)
    alice.nothing()
    assert alice.wire.row.state == "ended"
    assert alice.wire.transactions == 0


@pytest.mark.parametrize(("status", "ended"), [(481, True), (404, True), (403, True), (401, False)])
def test_15_1_1_a_refused_bye_ends_the_call_unless_it_is_a_challenge(
    alice: Phone, bob: Phone, status: int, ended: bool
) -> None:
    """The one who hangs up has left the call whatever the other says."""
    mine, _ = talk(alice, bob)
    mine.request("BYE")
    bob.reply(bob.request("BYE"), status)
    alice.response(status)
    assert (alice.wire.row.state == "ended") == ended


def test_a_bye_of_each_side_that_cross(alice: Phone, bob: Phone) -> None:
    mine, theirs = talk(alice, bob)
    mine.request("BYE")
    theirs.request("BYE")
    hers, his = alice.request("BYE"), bob.request("BYE")
    bob.reply(his, 200)
    alice.reply(hers, 200)
    alice.response(200)
    bob.response(200)
    assert alice.wire.row.hangup_by == "caller"
    assert alice.wire.core.counters()["calls_now"] == 0
