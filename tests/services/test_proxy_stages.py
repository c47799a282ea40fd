"""Ringing in sequence, forwards, time limits, redirects that are followed (RFC 3261 §16.7, §16.8)."""

from __future__ import annotations

import pytest

from sipengine.api import Rule
from tests.services.conftest import World, registered
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, SERVER, Wire

IN_TURN = Rule("turn", DOMAIN, "1500", "forward", ("1002", "1003"), "sequential", 10)


class Cast:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.alice = registered(wire, "1001", "198.51.100.1")
        self.bob = registered(wire, "1002", "198.51.100.2")
        self.carol = registered(wire, "1003", "198.51.100.3")


class TestTimeLimit:
    def test_16_8_ring_timeout_cancels_and_answers_480(self, world: World) -> None:
        cast = Cast(world(e1002={"ring_timeout": 15}))
        call = cast.alice.call("1002")
        incoming = cast.bob.incoming()
        incoming.ring()
        cast.alice.response(180)
        cast.wire.advance(14.9)
        cast.alice.nothing()
        cast.wire.advance(0.2)
        incoming.cancelled()
        call.fails(480)
        row = cast.wire.row
        assert (row.result, row.hangup_by) == ("no_answer", "system")
        assert row.legs[0].result == "no_answer"
        assert row.reason == "Alice (1001) called 1002. Bob (1002) did not answer within 15 s."

    def test_16_7_a_2xx_that_crosses_the_time_limit_comes_too_late_for_the_caller(
        self, world: World
    ) -> None:
        cast = Cast(world(e1002={"ring_timeout": 15}))
        call = cast.alice.call("1002")
        incoming = cast.bob.incoming()
        incoming.ring()
        cast.alice.response(180)
        cast.wire.advance(15.1)
        call.fails(480)
        incoming.send_ok()
        assert cast.wire.row.result == "no_answer"
        cast.wire.advance(70)
        assert cast.wire.transactions == 0

    def test_17_1_1_2_a_dead_phone_ends_with_timer_b(self, alice: Phone, bob: Phone) -> None:
        call = alice.call("1002")
        bob.wire.advance(32.1)
        call.fails(408)
        assert len(bob.inbox) == 7
        row = alice.wire.row
        assert (row.result, row.sip_status) == ("no_answer", 408)
        assert "no sign of life" in row.reason or "did not answer" in row.reason


class TestSequence:
    def test_the_second_rings_after_the_first_was_busy(self, world: World) -> None:
        cast = Cast(world(rules=(IN_TURN,)))
        call = cast.alice.call("1500")
        cast.carol.nothing()
        cast.bob.incoming().reject(486)
        cast.carol.incoming().answer()
        call.answered()
        assert cast.wire.row.answered_by == f"1003@{DOMAIN}"

    def test_the_second_rings_after_the_time_of_the_first(self, world: World) -> None:
        cast = Cast(world(rules=(IN_TURN,)))
        call = cast.alice.call("1500")
        first = cast.bob.incoming()
        first.ring()
        cast.alice.response(180)
        cast.wire.advance(10.1)
        first.cancelled()
        cast.carol.incoming().answer()
        call.answered()

    def test_a_late_200_of_the_first_still_wins(self, world: World) -> None:
        """It crossed the CANCEL; the second stops as for any answer elsewhere."""
        cast = Cast(world(rules=(IN_TURN,)))
        call = cast.alice.call("1500")
        first = cast.bob.incoming()
        first.ring()
        cast.alice.response(180)
        cast.wire.advance(10.1)
        second = cast.carol.incoming()
        second.ring()
        cast.alice.response(180)
        first.send_ok()
        call.answered()
        assert "Call completed elsewhere" in second.cancelled()["Reason"]
        assert cast.wire.row.answered_by == f"1002@{DOMAIN}"

    def test_an_unregistered_one_is_passed_over(self, world: World) -> None:
        wire = world(rules=(IN_TURN,))
        alice = registered(wire, "1001", "198.51.100.1")
        carol = registered(wire, "1003", "198.51.100.3")
        alice.call("1500")
        carol.incoming()

    def test_nobody_of_the_sequence_answers(self, world: World) -> None:
        cast = Cast(world(rules=(IN_TURN,)))
        call = cast.alice.call("1500")
        cast.wire.advance(21)
        assert call.fails(480)
        row = cast.wire.row
        assert row.result == "no_answer"
        assert [leg.result for leg in row.legs] == ["no_answer", "no_answer"]

    def test_16_7_5_a_6xx_asks_nobody_else(self, world: World) -> None:
        cast = Cast(world(rules=(IN_TURN,)))
        call = cast.alice.call("1500")
        cast.bob.incoming().reject(603, "Decline")
        call.fails(603)
        cast.carol.nothing()
        assert cast.wire.row.result == "declined"


class TestForwards:
    @pytest.mark.parametrize("status", [486, 600, 603])
    def test_forward_when_busy(self, world: World, status: int) -> None:
        cast = Cast(world(e1002={"forward_busy": "1003"}))
        call = cast.alice.call("1002")
        cast.bob.incoming().reject(status)
        cast.carol.incoming().answer()
        call.answered()

    def test_forward_when_not_answered_in_its_own_time(self, world: World) -> None:
        cast = Cast(world(e1002={"forward_no_answer": "1003", "forward_no_answer_after": 5}))
        cast.alice.call("1002")
        cast.bob.incoming().ring()
        cast.wire.advance(5.1)
        assert cast.bob.request("CANCEL")
        cast.carol.incoming()

    def test_forward_when_not_registered(self, world: World) -> None:
        wire = world(e1002={"forward_no_answer": "1003"})
        alice = registered(wire, "1001", "198.51.100.1")
        carol = registered(wire, "1003", "198.51.100.3")
        alice.call("1002")
        carol.incoming()

    def test_busy_goes_not_to_the_no_answer_forward(self, world: World) -> None:
        cast = Cast(world(e1002={"forward_no_answer": "1003"}))
        call = cast.alice.call("1002")
        cast.bob.incoming().reject(486)
        call.fails(486)
        cast.carol.nothing()

    def test_which_forward_is_taken_depends_on_this_phone_not_on_the_one_before(
        self, world: World
    ) -> None:
        """Bob was busy; Carol's phone is dead. It is her no-answer forward that counts."""
        wire = world(
            e1002={"forward_busy": "1003"},
            e1003={"forward_busy": "1001", "forward_no_answer": "1004"},
        )
        cast = Cast(wire)
        dave = registered(wire, "1004", "198.51.100.4")
        cast.alice.call("1002")
        cast.bob.incoming().reject(486)
        wire.bounce(cast.carol.flow)
        dave.incoming()

    def test_forward_to_an_outside_address(self, world: World) -> None:
        wire = world(e1002={"forward_always": "sip:gate@203.0.113.50"})
        alice = registered(wire, "1001", "198.51.100.1")
        gate = Phone(wire, "gate", "203.0.113.50")
        alice.call("1002")
        assert gate.request("INVITE").uri == "sip:gate@203.0.113.50"

    def test_a_ring_of_forwards_ends_with_482(self, world: World) -> None:
        cast = Cast(world(e1002={"forward_always": "1003"}, e1003={"forward_always": "1002"}))
        cast.alice.call("1002").fails(482)
        assert cast.wire.row.result == "failed"

    def test_busy_phones_that_forward_to_each_other_ring_once_each(self, world: World) -> None:
        cast = Cast(world(e1002={"forward_busy": "1003"}, e1003={"forward_busy": "1002"}))
        call = cast.alice.call("1002")
        cast.bob.incoming().reject(486)
        cast.carol.incoming().reject(486)
        call.fails(486)
        cast.bob.nothing()


class TestRedirects:
    FOLLOW = Rule("f", DOMAIN, "1500", "forward", ("1002",), timeout=20, follow_redirects=True)

    def test_16_7_4_a_3xx_goes_back_to_the_caller_when_the_rule_does_not_follow(
        self, alice: Phone, bob: Phone
    ) -> None:
        call = alice.call("1002")
        bob.incoming().reject(302, "Moved", extra="Contact: <sip:other@203.0.113.8>")
        assert call.fails(302)["Contact"] == "<sip:other@203.0.113.8>"
        row = alice.wire.row
        assert (row.result, row.hangup_by) == ("redirected", "callee")
        assert "other" in row.reason

    def test_16_7_4_the_rule_follows_a_3xx_to_each_contact(self, world: World) -> None:
        cast = Cast(world(rules=(self.FOLLOW,)))
        other = Phone(cast.wire, "other", "203.0.113.8")
        call = cast.alice.call("1500")
        contacts = f"Contact: <sip:other@203.0.113.8>, <sip:1003@{DOMAIN}>;q=0.1"
        cast.bob.incoming().reject(302, extra=contacts)
        there = other.incoming()
        assert there.invite.uri == "sip:other@203.0.113.8"
        there.answer()
        call.answered()
        assert cast.carol.request("INVITE")

    def test_16_5_no_uri_is_tried_twice(self, world: World) -> None:
        cast = Cast(world(rules=(self.FOLLOW,)))
        call = cast.alice.call("1500")
        cast.bob.incoming().reject(302, extra=f"Contact: {cast.bob.contact}, <sip:1002@{DOMAIN}>")
        call.fails(302)
        cast.bob.nothing()

    def test_16_7_4_two_servers_that_redirect_to_each_other_for_ever(self, world: World) -> None:
        cast = Cast(world(rules=(self.FOLLOW,)))
        servers = [Phone(cast.wire, "s", f"203.0.113.{at}") for at in (8, 9)]
        call = cast.alice.call("1500")
        cast.bob.incoming().reject(302, extra="Contact: <sip:0@203.0.113.8>")
        rounds = 0
        while any(server.inbox for server in servers):
            server = next(server for server in servers if server.inbox)
            other = servers[1 - servers.index(server)]
            rounds += 1
            assert rounds < 50
            server.incoming().reject(302, extra=f"Contact: <sip:{rounds}@{other.host}>")
        call.fails(302)
        assert rounds == 10

    def test_a_3xx_without_a_usable_contact_goes_back(self, world: World) -> None:
        cast = Cast(world(rules=(self.FOLLOW,)))
        call = cast.alice.call("1500")
        cast.bob.incoming().reject(302, extra="Contact: <tel:+431234>, <mailto:x@y>, *")
        call.fails(302)

    def test_8_3_redirect_rule_answers_302_itself(self, world: World) -> None:
        rule = Rule("moved", DOMAIN, "1999", "redirect", (f"sip:1002@{DOMAIN}", "1003"))
        cast = Cast(world(rules=(rule,)))
        response = cast.alice.call("1999").fails(302)
        assert response.all("Contact") == [
            f"<sip:1002@{DOMAIN}>;q=1.0", f"<sip:1003@{DOMAIN}>;q=0.9",
        ]  # fmt: skip
        row = cast.wire.row
        assert (row.result, row.rule, row.hangup_by) == ("redirected", "moved", "system")

    def test_8_3_redirect_to_the_registered_contacts(self, world: World) -> None:
        rule = Rule("there", DOMAIN, "1999", "redirect_contacts", ("1002",))
        cast = Cast(world(rules=(rule,)))
        response = cast.alice.call("1999").fails(302)
        assert response.all("Contact") == [f"{cast.bob.contact};q=1"]

    def test_reject_rule_answers_what_it_says_in_utf_8(self, world: World) -> None:
        rule = Rule(
            "closed", DOMAIN, "1600", "reject", status=480, reason="Heute geschlossen – grüß"
        )
        cast = Cast(world(rules=(rule,)))
        assert cast.alice.call("1600").fails(480).start == "SIP/2.0 480 Heute geschlossen – grüß"
        assert "Heute geschlossen – grüß" in cast.wire.row.reason


class TestTransportFailure:
    def test_16_9_one_of_two_phones_is_unreachable(self, wire: Wire, alice: Phone) -> None:
        one = registered(wire, "1002", "198.51.100.21")
        other = registered(wire, "1002", "198.51.100.22")
        call = alice.call("1002")
        wire.bounce(one.flow)
        alice.nothing()
        other.incoming().answer()
        call.answered()

    def test_16_9_all_are_unreachable(self, wire: Wire, alice: Phone, bob: Phone) -> None:
        call = alice.call("1002")
        wire.bounce(bob.flow)
        call.fails(480)  # away, not: this server is broken
        row = wire.row
        assert (row.result, row.hangup_by) == ("failed", "system")
        assert row.reason.endswith("The call failed: the phone of Bob (1002) could not be reached.")

    def test_16_9_a_connection_that_breaks_while_it_rings(self, world: World) -> None:
        wire = world()
        alice = registered(wire, "1001", "198.51.100.1")
        bob = registered(wire, "1002", "198.51.100.2", 40002, transport="TCP")
        call = alice.call("1002")
        bob.incoming().ring()
        alice.response(180)
        wire.drop_connection(bob.flow)
        alice.nothing()  # the phone may come back: tests/services/test_returning.py
        wire.advance(6.1)
        call.fails(480)

    def test_16_9_an_established_call_survives_a_broken_connection(self, world: World) -> None:
        wire = world()
        alice = registered(wire, "1001", "198.51.100.1")
        bob = registered(wire, "1002", "198.51.100.2", 40002, transport="TCP")
        call = alice.call("1002")
        bob.incoming().answer()
        call.answered()
        wire.drop_connection(bob.flow)
        assert wire.row.state == "talking"

    def test_nobody_registered_is_480(self, alice: Phone) -> None:
        alice.call("1002").fails(480)
        row = alice.wire.row
        assert (row.result, row.sip_status) == ("failed", 480)
        assert row.reason.endswith("The call failed: Bob (1002) has no phone registered.")

    def test_an_unknown_number_is_404(self, alice: Phone) -> None:
        alice.call("7777").fails(404)
        assert alice.wire.row.reason.endswith("The call failed: there is no 7777 here.")

    def test_a_call_to_this_server_by_its_address_is_a_call_to_the_default_domain(
        self, alice: Phone, bob: Phone
    ) -> None:
        alice.call(f"sip:1002@{SERVER[0]}:{SERVER[1]}")
        bob.incoming()
