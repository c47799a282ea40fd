"""The sentence of a call tells by which forwards it came and what became of each who was rung."""

from __future__ import annotations

import pytest

from sipengine.api import ACTION_FORWARD, ACTION_REDIRECT, ACTION_REJECT, Rule
from tests.services.conftest import World, registered
from tests.services.user_agents import IncomingCall, Phone
from tests.services.wire import DOMAIN, Wire

TEAM = Rule("team", DOMAIN, "1500", ACTION_FORWARD, ("1002", "1003"), timeout=10)
IN_TURN = Rule("hunt", DOMAIN, "1501", ACTION_FORWARD, ("1002", "1003"), "sequential", timeout=10)


def phone_of(wire: Wire, number: str) -> Phone:
    return registered(wire, number, f"198.51.100.{number[-1]}")


def ringing(phone: Phone, caller: Phone) -> IncomingCall:
    incoming = phone.incoming()
    incoming.ring()
    caller.response(180)
    return incoming


class TestForwards:
    def test_a_forward_of_every_call_is_told(self, world: World) -> None:
        wire = world(e1002={"forward_always": "1003"})
        alice, carol = phone_of(wire, "1001"), phone_of(wire, "1003")
        call = alice.call("1002")
        carol.incoming().reject(486)
        call.fails(486)
        assert wire.row.reason == (
            "Alice (1001) called 1002. Bob (1002) forwards every call to Carol (1003). "
            "Carol (1003) was busy."
        )

    def test_an_answer_after_a_forward_tells_why_it_came_there(self, world: World) -> None:
        wire = world(e1002={"forward_busy": "1003"})
        alice, bob, carol = (phone_of(wire, number) for number in ("1001", "1002", "1003"))
        call = alice.call("1002")
        bob.incoming().reject(486)
        incoming = carol.incoming()
        incoming.answer()
        dialog = call.answered()
        carol.inbox.clear()
        wire.advance(60)
        dialog.request("BYE")
        carol.reply(carol.request("BYE"), 200)
        assert wire.row.reason == (
            "Alice (1001) called 1002. Bob (1002) was busy, so it went on to Carol (1003). "
            "Carol (1003) answered after 0 s and they talked for 1 min 0 s. The caller hung up."
        )

    def test_nobody_at_the_end_of_a_forward(self, world: World) -> None:
        wire = world(e1002={"forward_no_answer": "1003", "forward_no_answer_after": 5})
        alice, bob = phone_of(wire, "1001"), phone_of(wire, "1002")
        call = alice.call("1002")
        incoming = ringing(bob, alice)
        wire.advance(5.1)
        incoming.cancelled()
        call.fails(480)
        assert wire.row.reason == (
            "Alice (1001) called 1002. Bob (1002) did not answer within 5 s, so it went on to "
            "Carol (1003). Carol (1003) has no phone registered."
        )

    def test_a_caller_who_gave_up_after_a_forward(self, world: World) -> None:
        wire = world(e1002={"forward_always": "1003"})
        alice, carol = phone_of(wire, "1001"), phone_of(wire, "1003")
        call = alice.call("1002")
        incoming = ringing(carol, alice)
        wire.advance(7)
        call.cancel()
        incoming.cancelled()
        assert wire.row.reason.endswith(
            "every call to Carol (1003). The caller hung up after 7 s, before anyone answered; "
            "Carol (1003) was ringing."
        )

    @pytest.mark.parametrize(
        ("to", "status", "told"),
        [
            ("7777", 404, "every call to 7777. The call failed: there is no 7777 here."),
            ("1002", 482, "it was forwarded in a circle, back to 1002."),
            ("1005", 404, "every call to 1005. The call failed: there is no 1005 here."),
            ("1600", 603, "turns such calls away with “Closed today” (603)."),
        ],
    )
    def test_a_forward_that_leads_nowhere(
        self, world: World, to: str, status: int, told: str
    ) -> None:
        closed = Rule("closed", DOMAIN, "1600", ACTION_REJECT, status=603, reason="Closed today")
        wire = world(rules=(closed,), e1002={"forward_always": to})
        phone_of(wire, "1001").call("1002").fails(status)
        assert wire.row.reason.startswith("Alice (1001) called 1002")
        assert wire.row.reason.endswith(told)

    def test_an_outside_target_is_named_with_its_host(self, world: World) -> None:
        wire = world(e1002={"forward_always": "sip:gate@192.0.2.9:5070"})
        call = phone_of(wire, "1001").call("1002")
        wire.advance(32.1)
        call.fails(408)
        assert "forwards every call to gate@192.0.2.9:5070. " in wire.row.reason


class TestSeveral:
    def test_each_of_a_group_is_told(self, world: World) -> None:
        wire = world(rules=(TEAM,))
        alice, bob, carol = (phone_of(wire, number) for number in ("1001", "1002", "1003"))
        call = alice.call("1500")
        first = bob.incoming()
        second = ringing(carol, alice)
        first.reject(486)
        wire.advance(10.1)
        second.cancelled()
        call.fails(486)
        assert wire.row.reason == (
            "Alice (1001) called 1500 (rule “team”). "
            "Bob (1002) was busy and Carol (1003) did not answer within 10 s."
        )

    def test_one_without_a_phone_did_not_ring(self, world: World) -> None:
        wire = world(rules=(IN_TURN,))
        alice, bob = phone_of(wire, "1001"), phone_of(wire, "1002")
        call = alice.call("1501")
        incoming = ringing(bob, alice)
        wire.advance(10.1)
        incoming.cancelled()
        call.fails(480)
        assert wire.row.reason.endswith(
            "Bob (1002) did not answer within 10 s and Carol (1003) has no phone registered."
        )

    def test_one_of_a_group_has_no_phone(self, world: World) -> None:
        wire = world(rules=(TEAM,))
        alice, bob = phone_of(wire, "1001"), phone_of(wire, "1002")
        call = alice.call("1500")
        bob.incoming().reject(486)
        call.fails(486)
        assert wire.row.reason.endswith(
            "Bob (1002) was busy and Carol (1003) has no phone registered."
        )
        assert [(leg.target, leg.result) for leg in wire.row.legs] == [
            (f"1002@{DOMAIN}", "busy"),
            (f"1003@{DOMAIN}", "failed"),
        ]

    def test_a_group_without_any_phone(self, world: World) -> None:
        wire = world(rules=(TEAM,))
        phone_of(wire, "1001").call("1500").fails(480)
        assert wire.row.reason.endswith("Bob (1002) and Carol (1003) have no phone registered.")


class TestOnePhone:
    def test_a_phone_that_is_switched_off_did_not_just_not_answer(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        call = alice.call("1002")
        wire.advance(32.1)
        call.fails(408)
        assert wire.row.reason.endswith(
            "called 1002. The phone of Bob (1002) gave no sign of life within 32 s."
        )
        assert wire.row.result == "no_answer"

    def test_a_phones_own_words_are_told(self, wire: Wire, alice: Phone, bob: Phone) -> None:
        call = alice.call("1002")
        invite = bob.request("INVITE")
        bob.reply(invite, 480, "Do {Not} Disturb", tag="b")
        call.fails(480)
        assert wire.row.reason.endswith("Bob (1002) was not available (480 Do (Not) Disturb).")

    def test_a_503_of_a_phone_is_not_silence(self, wire: Wire, alice: Phone, bob: Phone) -> None:
        call = alice.call("1002")
        bob.incoming().reject(503)
        call.fails(500)
        assert "the phone of Bob (1002) refused the call (503 " in wire.row.reason

    def test_the_caller_gave_up_before_any_phone_rang(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        call = alice.call("1002")
        wire.advance(2)
        call.cancel()
        alice.response(200)
        bob.reply(bob.request("INVITE"), 487, tag="b")
        call.fails(487)
        assert wire.row.reason.endswith(
            "hung up after 2 s, before anyone answered; no phone had begun to ring."
        )


class TestRules:
    def test_a_rule_whose_targets_do_not_exist(self, world: World) -> None:
        wire = world(rules=(Rule("ghost", DOMAIN, "1700", ACTION_FORWARD, ("1999",)),))
        phone_of(wire, "1001").call("1700").fails(404)
        assert wire.row.reason == (
            "Alice (1001) called 1700 (rule “ghost”). "
            "The call failed: none of the rule’s targets exists."
        )

    def test_a_refusal_without_words_of_its_own(self, world: World) -> None:
        wire = world(rules=(Rule("barred", DOMAIN, "00*", ACTION_REJECT, status=403),))
        phone_of(wire, "1001").call("0043").fails(403)
        assert wire.row.reason.endswith("the rule turns such calls away with “Forbidden” (403).")

    def test_a_redirect_names_numbers(self, world: World) -> None:
        targets = ("1003", "sip:gate@192.0.2.9")
        wire = world(rules=(Rule("moved", DOMAIN, "1800", ACTION_REDIRECT, targets),))
        phone_of(wire, "1001").call("1800").fails(302)
        assert wire.row.reason.endswith("and was told to call 1003, gate@192.0.2.9 instead.")
