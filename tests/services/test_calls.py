"""One row a logical call: states, times, result, who hung up, the sentence (D8)."""

from __future__ import annotations

import pytest

from sipengine.api import CallRecord, Domain, Fact, Rule
from tests.services.conftest import World, registered
from tests.services.user_agents import Dialog, Phone
from tests.services.wire import DOMAIN, WALL, Wire


def talk(caller: Phone, callee: Phone, *, ring: float = 3, before_ring: float = 1) -> Dialog:
    call = caller.call(callee.number)
    incoming = callee.incoming()
    caller.wire.advance(before_ring)
    incoming.ring()
    caller.response(180)
    caller.wire.advance(ring)
    incoming.answer()
    dialog = call.answered()
    callee.inbox.clear()
    return dialog


def states(facts: list[Fact]) -> list[str]:
    return [fact.state for fact in facts if isinstance(fact, CallRecord)]


def end(dialog: Dialog, other: Phone) -> None:
    dialog.request("BYE")
    other.reply(other.request("BYE"), 200)
    dialog.phone.response(200)


def at(moment: float | None, since_start: float) -> bool:
    return moment == pytest.approx(WALL + 1000.0 + since_start, abs=0.01)


def test_who_is_called_in_another_domain_of_ours_is_named_with_it(world: World) -> None:
    wire = world(domains=(Domain(DOMAIN), Domain("second.test")))
    registered(wire, "1001", "198.51.100.1").call("sip:1002@second.test")
    assert (wire.row.domain, wire.row.called) == (DOMAIN, "1002@second.test")


class TestAnswered:
    def test_the_row_through_its_life(self, wire: Wire, alice: Phone, bob: Phone) -> None:
        call = alice.call("1002")
        incoming = bob.incoming()
        row = wire.row
        assert (row.state, row.result, row.caller, row.called) == (
            "trying", "", f"1001@{DOMAIN}", "1002",
        )  # fmt: skip
        assert (row.caller_name, row.caller_device, row.domain) == ("1001", alice.device, DOMAIN)
        assert at(row.started, 0)
        assert (row.ringing, row.answered, row.ended) == (None, None, None)

        wire.advance(2)
        incoming.ring()
        row = wire.row
        assert row.state == "ringing"
        assert at(row.ringing, 2)

        wire.advance(3)
        incoming.answer()
        row = wire.row
        assert row.state == "talking"
        assert at(row.answered, 5)
        assert (row.answered_by, row.answered_device) == (f"1002@{DOMAIN}", bob.device)
        assert row.call_ids == [call.call_id]
        assert row.tags == [call.tag, incoming.tag]

        alice.response(180)
        dialog = call.answered()
        bob.inbox.clear()
        wire.advance(60)
        end(dialog, bob)
        row = wire.row
        assert (row.state, row.result, row.hangup_by, row.sip_status) == (
            "ended", "answered", "caller", 200,
        )  # fmt: skip
        assert at(row.ended, 65)
        assert row.reason == (
            "Alice (1001) called 1002. Bob (1002) answered after 5 s and they talked for 1 min 0 s. "
            "The caller hung up."
        ) or ("answered after 5 s and they talked for 1 min 0 s" in row.reason)
        assert row.reason.endswith("The caller hung up.")
        leg = row.legs[0]
        assert (leg.position, leg.target, leg.contact) == (
            0, f"1002@{DOMAIN}", bob.contact.strip("<>"),
        )  # fmt: skip
        assert (leg.result, leg.sip_status, leg.device) == ("answered", 200, bob.device)
        assert at(leg.started, 0)
        assert at(leg.ringing, 2)
        assert at(leg.answered, 5)
        assert at(leg.ended, 65)
        assert row.decision

    def test_the_callee_hangs_up(self, wire: Wire, alice: Phone, bob: Phone) -> None:
        call = alice.call("1002")
        incoming = bob.incoming()
        theirs = incoming.answer()
        call.answered()
        bob.inbox.clear()
        end(theirs, alice)
        assert wire.row.hangup_by == "callee"
        assert wire.row.reason.endswith("The called party hung up.")

    def test_the_bye_counts_when_it_is_sent_not_when_it_is_answered(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        dialog = talk(alice, bob)
        wire.advance(10)
        dialog.request("BYE")
        wire.advance(5)
        bob.reply(bob.request("BYE"), 200)
        row = wire.row
        assert at(row.ended, 14)

    def test_a_fast_call_costs_one_revision(self, wire: Wire, alice: Phone, bob: Phone) -> None:
        dialog = talk(alice, bob)
        end(dialog, bob)
        wire.beat()
        assert [(row.revision, row.state) for row in wire.revisions] == [(1, "ended")]

    def test_revisions_count_up_and_nothing_new_is_no_row(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        alice.call("1002")
        wire.beat()
        wire.beat()
        bob.incoming().ring()
        wire.beat()
        assert [row.revision for row in wire.revisions] == [1, 2]
        assert not wire.core.facts_waiting

    def test_a_second_2xx_of_a_fork_is_a_leg_and_not_a_call(self, wire: Wire, alice: Phone) -> None:
        phones = [registered(wire, "1002", f"198.51.100.{20 + n}") for n in range(2)]
        call = alice.call("1002")
        first, second = (phone.incoming() for phone in phones)
        second.ring()
        alice.response(180)
        first.answer()
        second.send_ok()
        mine, other = call.answered(), call.answered()
        for phone in phones:
            phone.inbox.clear()
        end(other, phones[1])
        assert wire.row.state == "talking"
        end(mine, phones[0])
        row = wire.row
        assert (row.state, row.result) == ("ended", "answered")
        assert row.tags[1] == first.tag
        assert [leg.result for leg in row.legs] == ["answered", "answered"]

    def test_a_name_in_utf_8(self, wire: Wire, alice: Phone, bob: Phone) -> None:
        call = alice.invite("1002")
        call.local = f'"Zoë Åberg" <{alice.aor}>;tag={call.tag}'
        call.authenticate()
        assert wire.row.caller_name == "Zoë Åberg"


OUTCOMES = [
    (486, "busy", "callee", "was busy"),
    (600, "busy", "callee", "was busy"),
    (603, "declined", "callee", "declined the call"),
    (607, "declined", "callee", "declined the call"),
    (480, "no_answer", "callee", "Bob (1002) was not available (480 No)"),
    (408, "no_answer", "callee", "Bob (1002) was not available (408 No)"),
    (404, "failed", "callee", "(404 No): it does not know the number it was called by"),
    (487, "failed", "callee", "(487 No): it ended the call by itself"),
    (488, "failed", "callee", "(488 No): it and the caller’s phone have no codec"),
    (500, "failed", "callee", "The call failed: the phone of Bob (1002) refused the call (500 No"),
    (302, "redirected", "callee", "was told to call 1003 instead"),
]


@pytest.mark.parametrize(("status", "result", "by", "words"), OUTCOMES)
def test_outcomes_that_a_phone_decides(
    wire: Wire, alice: Phone, bob: Phone, status: int, result: str, by: str, words: str
) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    bob.reply(incoming.invite, 100)
    wire.advance(1)
    incoming.reject(status, extra=f"Contact: <sip:1003@{DOMAIN}>")
    call.fails(status)
    row = wire.row
    assert (row.state, row.result, row.sip_status, row.hangup_by) == ("ended", result, status, by)
    assert words in row.reason
    assert at(row.ended, 1)
    assert row.answered is None
    assert row.legs[0].result == result


class TestOtherOutcomes:
    def test_cancelled(self, wire: Wire, alice: Phone, bob: Phone) -> None:
        call = alice.call("1002")
        incoming = bob.incoming()
        incoming.ring()
        alice.response(180)
        wire.advance(7)
        call.cancel()
        incoming.cancelled()
        row = wire.row
        assert (row.result, row.hangup_by, row.sip_status) == ("cancelled", "caller", 487)
        assert "hung up after 7 s, before anyone answered" in row.reason

    def test_rejected_by_a_rule(self, world: World) -> None:
        rule = Rule("closed", DOMAIN, "1600", "reject", status=480, reason="Closed today")
        wire = world(rules=(rule,))
        alice = registered(wire, "1001", "198.51.100.1")
        alice.call("1600").fails(480)
        row = wire.row
        assert (row.rule, row.result, row.hangup_by, row.sip_status) == (
            "closed", "failed", "system", 480,
        )  # fmt: skip
        assert "closed" in row.reason
        assert "Closed today" in row.reason
        assert any("closed" in line for line in row.decision)
        assert row.legs == []

    @pytest.mark.parametrize("seconds", [0, 59, 61, 3700])
    def test_durations_are_words(self, wire: Wire, alice: Phone, bob: Phone, seconds: int) -> None:
        words = {0: "0 s", 59: "59 s", 61: "1 min 1 s", 3700: "1 h 1 min"}[seconds]
        dialog = talk(alice, bob)
        wire.advance(seconds)
        end(dialog, bob)
        assert f"talked for {words}" in wire.row.reason


class TestLimits:
    def test_the_same_call_id_and_tag_twice_leaves_no_call_behind(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        """A phone (or a spiral) may have two INVITEs of one Call-ID and tag under way."""
        one, other = alice.call("1002"), alice.invite("1002")
        other.call_id, other.tag, other.local = one.call_id, one.tag, one.local
        other.authorization = ""
        alice.inbox.clear()
        other.send()
        other.authenticate()
        alice.inbox.clear()
        first, second = bob.incoming(), bob.incoming()
        first.reject(486)
        second.reject(486)
        wire.beat()
        assert wire.core.counters()["calls_now"] == 0
        assert {row.state for row in wire.rows.values()} == {"ended"}

    def test_a_call_whose_end_is_never_seen_is_closed_some_day(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        """Both phones lost their power: nobody will ever send BYE."""
        talk(alice, bob)
        wire.advance(14 * 3600)
        row = wire.row
        assert (row.state, row.result, row.hangup_by) == ("ended", "answered", "")
        assert "its end was not seen" in row.reason
        assert wire.core.counters()["calls_now"] == 0

    def test_rfc3261_13_3_1_4_a_call_that_is_never_acknowledged_is_closed(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        """The caller's phone died as Bob answered; Bob's BYE went to nobody we could hear it from."""
        alice.call("1002")
        bob.incoming().answer()
        wire.advance(63)
        assert wire.row.state == "talking"
        wire.advance(62)
        row = wire.row
        assert (row.state, row.result, row.sip_status, row.ended) == (
            "ended", "failed", 200, row.answered,
        )  # fmt: skip
        assert row.reason == (
            "Alice (1001) called 1002. The call failed: Bob (1002) answered, but the caller’s phone"
            " was not heard from again."
        )
        assert wire.core.counters()["calls_now"] == 0

    @pytest.mark.parametrize("sends", ["ACK", "INFO"])
    def test_whatever_the_caller_sends_in_the_dialog_shows_that_it_heard_of_the_answer(
        self, wire: Wire, alice: Phone, bob: Phone, sends: str
    ) -> None:
        call = alice.call("1002")
        bob.incoming().answer()
        dialog = call.answered(acknowledge=sends == "ACK")
        wire.advance(1)
        if sends == "INFO":
            dialog.request("INFO")
            bob.reply(bob.request("INFO"), 200)
        wire.advance(200)
        assert wire.row.state == "talking"

    def test_a_call_that_is_heard_of_is_not_closed(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        dialog = talk(alice, bob)
        for _ in range(10):
            wire.advance(4 * 3600)
            dialog.request("OPTIONS")
            bob.reply(bob.request("OPTIONS"), 200)
            alice.response(200)
        assert wire.row.state == "talking"

    def test_a_restored_call_whose_end_is_never_seen_is_closed_too(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        talk(alice, bob)
        wire.restart()
        wire.advance(14 * 3600)
        assert wire.row.state == "ended"

    def test_ended_calls_leave_nothing_in_memory(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        for _ in range(20):
            end(talk(alice, bob), bob)
        wire.advance(100)
        assert wire.transactions == 0
        assert wire.core.counters()["calls_now"] == 0
        wire.beat()
        assert len(wire.rows) == 20
        assert len({row.id for row in wire.rows.values()}) == 20


class TestRestart:
    def test_the_uuid_and_revision_go_on(self, wire: Wire, alice: Phone, bob: Phone) -> None:
        dialog = talk(alice, bob)
        before: CallRecord = wire.row
        wire.restart()
        end(dialog, bob)
        after = wire.row
        assert after.id == before.id
        assert after.revision > before.revision
        assert after.started == pytest.approx(before.started)
        assert after.answered == pytest.approx(before.answered)
        assert [leg.contact for leg in after.legs] == [leg.contact for leg in before.legs]
        assert after.legs[0].ended is not None

    def test_a_call_begun_after_a_restart_has_another_id(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        end(talk(alice, bob), bob)
        wire.restart()
        end(talk(alice, bob), bob)
        wire.beat()
        assert len(wire.rows) == 2

    def test_while_others_are_answered_and_ended_a_ringing_call_may_wait(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        dialog = talk(alice, bob)
        wire.core.take_facts()
        call = alice.call("1002")
        bob.incoming().ring()
        call.rings()
        end(dialog, bob)
        assert wire.core.facts_pressing
        assert states(wire.core.take_facts(pressing=True)[0]) == ["ended"]
        assert not wire.core.facts_pressing
        assert wire.core.facts_waiting, "the other call rings"
        assert states(wire.core.take_facts()[0]) == ["ringing"]
        assert not wire.core.facts_waiting

    def test_rows_that_could_not_be_stored_come_again(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        dialog = talk(alice, bob)
        facts, _ = wire.core.take_facts()
        assert len(facts) == 1
        wire.core.facts_lost()
        assert wire.core.facts_waiting
        end(dialog, bob)
        assert wire.row.state == "ended"
