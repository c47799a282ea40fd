"""Calls that are refused before they begin: whose phone it was and why stands in the log, within limits."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from sipengine.api import CallRecord
from sipengine.services.guard.sources import Allowed
from sipengine.services.overload import FULL
from sipengine.services.refused_calls import (
    HOUR,
    MAX_NOTED,
    MAX_OF_PHONE,
    MAX_OF_STRANGERS,
    SEVERAL,
)
from tests.services.conftest import person, registered
from tests.services.user_agents import OutgoingCall, Phone
from tests.services.wire import DOMAIN, Wire, snapshot


def rows(wire: Wire) -> list[CallRecord]:
    """The log's rows after a moment."""
    wire.advance(2)
    wire.beat()
    return list(wire.rows.values())


def refused(wire: Wire) -> CallRecord:
    (row,) = rows(wire)
    assert (row.state, row.result, row.hangup_by) == ("ended", "failed", "system")
    assert (row.legs, row.answered, row.ringing) == ([], None, None)
    return row


def with_wrong_password(phone: Phone, called: str) -> OutgoingCall:
    call = phone.invite(called)
    call.authenticate(password="old")
    call.fails(407)
    return call


class TestWhatTheRowTells:
    def test_a_wrong_password(self, wire: Wire, alice: Phone) -> None:
        call = with_wrong_password(alice, "1002")
        row = refused(wire)
        assert (row.caller, row.called, row.sip_status) == (f"1001@{DOMAIN}", "1002", 407)
        assert (row.caller_name, row.caller_device) == ("Alice", alice.device)
        assert row.call_ids == [call.call_id]
        assert row.reason == (
            "Alice (1001) called 1002, but the call was refused before it began: the phone gave a "
            "wrong password for 1001. Enter the password of 1001 in the phone anew, or give the "
            "extension a new one."
        )
        assert row.decision == [
            "It came from 198.51.100.1:5060 by UDP.",
            f"The phone logged in as 1001@{DOMAIN}.",
            "The answer was 407 Proxy Authentication Required.",
        ]

    def test_a_log_in_as_nobody(self, wire: Wire, alice: Phone) -> None:
        call = alice.invite("1002")
        call.authenticate(user="alice", password="x")
        call.fails(407)
        assert "the phone logged in as “alice”, and there is no such extension." in (
            refused(wire).reason
        )

    def test_another_number_than_the_one_it_logged_in_as(self, wire: Wire, alice: Phone) -> None:
        """RFC 3261 §22.1: an identity of its own is what a phone may call under."""
        call = alice.invite("1002")
        call.local = f"<sip:1003@{DOMAIN}>;tag={call.tag}"
        call.authenticate()
        call.fails(403)
        row = refused(wire)
        assert (row.caller, row.sip_status) == (f"1003@{DOMAIN}", 403)
        assert "the phone logged in as 1001, but says that it is 1003." in row.reason

    def test_a_sender_that_is_nobody_from_a_phone_that_is_known(self, guarded: Wire) -> None:
        alice = registered(guarded, "1001", "198.51.100.1")
        call = alice.invite("1002")
        call.local = f"<sip:frontdesk@{DOMAIN}>;tag={call.tag}"
        call.authenticate()
        call.fails(403)
        row = refused(guarded)
        assert row.caller == f"1001@{DOMAIN}"
        assert "says that it is frontdesk." in row.reason

    def test_an_address_that_is_none(self, wire: Wire, alice: Phone) -> None:
        """RFC 3261 §8.2.2.1."""
        alice.other_request("INVITE", "http://example.org/")
        alice.response(416)
        row = refused(wire)
        assert (row.sip_status, row.called) == (416, "http://example.org/")
        assert row.reason.endswith(
            "“http://example.org/” is no address that this telephone system can call."
        )

    def test_too_many_hops(self, wire: Wire, alice: Phone) -> None:
        """RFC 3261 §16.3."""
        alice.invite("1002", hops="0").fails(483)
        row = refused(wire)
        assert row.sip_status == 483
        assert "it had been passed on too often" in row.reason

    def test_a_faulty_request(self, wire: Wire, alice: Phone) -> None:
        alice.invite("1002", hops="many").fails(400)
        assert "faulty (Bad Request: broken Max-Forwards header)" in refused(wire).reason

    def test_what_could_not_even_be_read(self, wire: Wire, alice: Phone) -> None:
        call = OutgoingCall(alice, f"sip:1002@{DOMAIN}")
        alice.send(call.text.replace(f"CSeq: {call.cseq} INVITE\n", "CSeq: none INVITE\n"))
        assert alice.receive().status == 400
        assert refused(wire).called == "1002"

    @pytest.mark.parametrize("usual", [True, False])
    def test_overload(self, wire: Wire, alice: Phone, usual: bool) -> None:
        """The unread request that is refused in a moment, and the one that is looked at closely."""
        wire.core.admission.level = FULL
        call = OutgoingCall(alice, f"sip:1002@{DOMAIN}")
        alice.send(call.text if usual else call.text.replace("\nVia: ", "\nv: "))
        alice.response(503)
        row = refused(wire)
        assert row.sip_status == 503
        assert row.reason == (
            "Alice (1001) called 1002, but the call was refused before it began: the telephone "
            "system had too much to do at that moment."
        )

    def test_a_phone_that_has_to_wait(self, guarded: Wire) -> None:
        alice = registered(guarded, "1001", "198.51.100.1")
        elsewhere = Phone(guarded, "1001", "198.51.100.1", 5070)
        statuses = [elsewhere.register(password="old").status for _ in range(10)]
        assert statuses[-1] == 503
        call = elsewhere.invite("1002")
        call.authenticate()
        call.fails(503)
        assert "has to wait before it may try again" in refused(guarded).reason
        assert alice.call("1002").fails(480)

    def test_an_extension_that_is_switched_off(self, wire: Wire, alice: Phone) -> None:
        del wire.config.extensions[f"1001@{DOMAIN}"]
        off = replace(wire.config, switched_off={f"1001@{DOMAIN}": "Alice"})
        wire.core.set_config(off, wire.now)
        with_wrong_password(alice, "1002")
        assert refused(wire).reason == (
            "Alice (1001) called 1002, but the call was refused before it began: 1001 is switched off."
        )

    def test_a_name_that_is_no_latin(self, wire: Wire, alice: Phone) -> None:
        alice.device = "Büro 📞"
        with_wrong_password(alice, "1002")
        assert refused(wire).caller_device == "Büro 📞"


@pytest.fixture
def guarded() -> Wire:
    people = [person(number, name) for number, name in (("1001", "Alice"), ("1002", "Bob"))]
    return Wire(snapshot(people), allowed=Allowed((ip_network("203.0.113.0/24"),)))


class TestWhatMakesNoRow:
    def test_a_call_that_begins_makes_its_own_row_only(
        self, wire: Wire, alice: Phone, bob: Phone
    ) -> None:
        alice.call("1002")
        assert [row.state for row in rows(wire)] == ["trying"]

    def test_who_is_nobody_here(self, wire: Wire) -> None:
        stranger = Phone(wire, "1999", "203.0.113.9")
        with_wrong_password(stranger, "1002")
        assert rows(wire) == []

    def test_a_request_within_a_call(self, wire: Wire, alice: Phone) -> None:
        alice.other_request("INVITE", f"sip:1002@{DOMAIN}", to=f"<sip:1002@{DOMAIN}>;tag=x")
        alice.receive()
        assert rows(wire) == []

    def test_a_session_that_is_too_short_for_now(self, wire: Wire, alice: Phone) -> None:
        """RFC 4028 §6: the phone asks again for a longer one."""
        call = alice.invite("1002", extra="Session-Expires: 30\nMin-SE: 30\nSupported: timer\n")
        call.authenticate()
        call.fails(422)
        assert rows(wire) == []

    def test_nothing_is_told_before_the_answer_is_out(self, wire: Wire, alice: Phone) -> None:
        """Whether a number is there cannot be told by the time that the answer takes."""
        with_wrong_password(alice, "1002")
        assert not wire.core.facts_waiting


class TestLimits:
    def test_what_is_tried_again_and_again_is_one_row(self, wire: Wire, alice: Phone) -> None:
        for _ in range(37):
            with_wrong_password(alice, "1002")
            wire.advance(10)
            wire.beat()
        wire.advance(600)
        row = refused(wire)
        assert row.reason.endswith("This was tried 37 times.")
        assert row.ended == pytest.approx(row.started + 360, abs=1)
        assert len(wire.revisions) < 12, "each state of the row is a line of the journal"

    def test_one_call_tries_its_password_twice(self, wire: Wire, alice: Phone) -> None:
        call = alice.invite("1002")
        call.authenticate(password="old")
        call.authenticate(password="older")
        call.fails(407)
        assert "tried" not in refused(wire).reason

    def test_many_numbers_of_one_phone_end_in_one_row(self, wire: Wire, alice: Phone) -> None:
        for number in range(30):
            with_wrong_password(alice, f"9{number:03}")
            wire.advance(2)
        wire.advance(600)
        told = rows(wire)
        assert len(told) == MAX_OF_PHONE + 1
        rest = next(row for row in told if row.called == SEVERAL)
        assert rest.reason.endswith(f"This was tried {30 - MAX_OF_PHONE} times.")

    def test_strangers_fill_nothing(self, wire: Wire) -> None:
        for host in range(100):
            with_wrong_password(Phone(wire, "1001", f"203.0.113.{host}"), "1002")
            wire.advance(2)
        assert len(rows(wire)) == MAX_OF_STRANGERS
        assert wire.core.counters()["calls_refused_unlogged"] == 100 - MAX_OF_STRANGERS

    def test_a_flood_costs_a_bounded_look(self, wire: Wire, alice: Phone) -> None:
        for _ in range(3 * MAX_NOTED):
            alice.invite("1002", hops="0").fails(483)
        assert f"tried {MAX_NOTED} times" in refused(wire).reason
        assert wire.core.counters()["calls_refused_unlogged"] == 2 * MAX_NOTED

    def test_an_hour_later_there_is_room_again(self, wire: Wire, alice: Phone) -> None:
        with_wrong_password(alice, "1002")
        first = refused(wire)
        wire.advance(HOUR)
        alice.register()
        with_wrong_password(alice, "1002")
        later = [row for row in rows(wire) if row.id != first.id]
        assert len(later) == 1
