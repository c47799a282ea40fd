"""Servers of a name one after another (RFC 3263 §4.3), and what the call log says of them."""

from __future__ import annotations

import pytest

from sipengine.api import ACTION_FORWARD, Rule
from sipengine.services.proxy.resting import MAX_RESTING, Resting, seconds_of
from sipengine.sip.next_hop import Located, Server
from tests.services.conftest import World, registered
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire
from tests.support.wire import parameter

FIRST = Server("UDP", "203.0.113.1", 5060, "other.test")
SECOND = Server("UDP", "203.0.113.2", 5070, "other.test")
THIRD = Server("TCP", "203.0.113.3", 5060, "other.test")
BOB = "sip:bob@other.test"


def server(wire: Wire, place: Server) -> Phone:
    """Whoever listens there."""
    return Phone(wire, "bob", place.host, place.port, transport=place.transport)


@pytest.fixture
def first(wire: Wire) -> Phone:
    return server(wire, FIRST)


@pytest.fixture
def second(wire: Wire) -> Phone:
    return server(wire, SECOND)


@pytest.fixture
def third(wire: Wire) -> Phone:
    return server(wire, THIRD)


@pytest.fixture
def world_of_three(wire: Wire) -> Wire:
    wire.servers["other.test"] = Located((FIRST, SECOND, THIRD))
    return wire


class TestInvite:
    def test_3263_4_3_a_503_sends_the_call_to_the_next_with_a_new_branch(
        self, world_of_three: Wire, alice: Phone, first: Phone, second: Phone
    ) -> None:
        call = alice.call(BOB)
        refused = first.incoming()
        first.reply(refused.invite, 503, tag="f")
        assert first.request("ACK")["Via"] == refused.invite.all("Via")[0]
        again = second.request("INVITE")
        assert parameter(again.all("Via")[0], "branch") != parameter(
            refused.invite.all("Via")[0], "branch"
        )
        assert again.uri == refused.invite.uri == BOB
        second.reply(again, 180, tag="s")
        call.rings()
        second.reply(again, 200, tag="s", extra=f"Contact: {second.contact}")
        call.answered()
        second.request("ACK")
        first.nothing()
        row = world_of_three.row
        assert row.state == "talking"
        assert len(row.legs) == 1

    def test_3263_4_3_a_refused_connection_sends_the_call_to_the_next(
        self, world_of_three: Wire, alice: Phone, first: Phone, second: Phone
    ) -> None:
        alice.call(BOB)
        first.request("INVITE")
        world_of_three.bounce(first.flow)
        second.request("INVITE")

    def test_3263_4_3_silence_sends_the_call_to_the_next_within_seconds(
        self, world_of_three: Wire, alice: Phone, first: Phone, second: Phone
    ) -> None:
        alice.call(BOB)
        world_of_three.advance(7.9)
        second.nothing()
        assert len(first.inbox) == 5
        world_of_three.advance(0.2)
        second.request("INVITE")
        world_of_three.advance(30)
        assert len(first.inbox) == 5, "the silent one is left in peace"

    def test_3263_4_3_the_last_one_gets_the_whole_timer_b(
        self, world_of_three: Wire, alice: Phone, third: Phone
    ) -> None:
        call = alice.call(BOB)
        world_of_three.advance(16.2)
        third.request("INVITE")
        world_of_three.advance(31.5)
        alice.nothing()
        world_of_three.advance(1)
        call.fails(408)
        row = world_of_three.row
        assert row.result == "failed"
        assert row.reason.endswith("The call failed: none of the 3 servers of other.test answered.")

    def test_3263_4_3_a_server_that_rings_is_given_its_time(
        self, world_of_three: Wire, alice: Phone, first: Phone, second: Phone
    ) -> None:
        call = alice.call(BOB)
        first.incoming().ring()
        call.rings()
        world_of_three.advance(40)
        second.nothing()

    @pytest.mark.parametrize("status", [486, 404, 500, 603])
    def test_3263_4_3_any_other_answer_is_the_answer(
        self, world_of_three: Wire, alice: Phone, first: Phone, second: Phone, status: int
    ) -> None:
        call = alice.call(BOB)
        first.reply(first.request("INVITE"), status, tag="f")
        call.fails(status)
        second.nothing()

    def test_3263_4_3_when_all_say_503_the_caller_hears_500_and_the_log_tells(
        self, world_of_three: Wire, alice: Phone, first: Phone, second: Phone, third: Phone
    ) -> None:
        call = alice.call(BOB)
        for each in (first, second, third):
            each.reply(each.request("INVITE"), 503, tag="x")
        call.fails(500)
        assert world_of_three.row.reason == (
            f"Alice (1001) called {BOB}."
            " The call failed: none of the 3 servers of other.test took the call."
        )

    def test_the_via_and_record_route_are_those_of_the_servers_transport(
        self, wire: Wire, alice: Phone, third: Phone
    ) -> None:
        wire.servers["other.test"] = Located((THIRD,))
        alice.call(BOB)
        invite = third.request("INVITE")
        assert invite.all("Via")[0].startswith("SIP/2.0/TCP ")
        assert ";transport=tcp" in invite.all("Record-Route")[0]

    def test_one_server_alone_is_named_so(self, wire: Wire, alice: Phone, first: Phone) -> None:
        wire.servers["other.test"] = Located((FIRST,))
        call = alice.call(BOB)
        wire.bounce(first.flow)
        call.fails(500)
        assert wire.row.reason.endswith("the server of other.test did not answer.")

    def test_a_name_that_leads_nowhere_is_told_in_words(self, wire: Wire, alice: Phone) -> None:
        why = "the name other.test could not be found"
        wire.servers["other.test"] = Located((), why)
        alice.call(BOB).fails(500)
        row = wire.row
        assert (row.result, row.hangup_by) == ("failed", "system")
        assert row.reason == f"Alice (1001) called {BOB}. The call failed: {why}."

    def test_after_a_name_that_leads_nowhere_the_next_stage_rings(self, world: World) -> None:
        rules = (Rule("out", DOMAIN, "1900", ACTION_FORWARD, (BOB, "1002"), "sequential"),)
        wire = world(rules=rules)
        wire.servers["other.test"] = Located((), "the name other.test could not be found")
        alice, bob = (
            registered(wire, "1001", "198.51.100.1"),
            registered(wire, "1002", "198.51.100.2"),
        )
        call = alice.call("1900")
        bob.reply(bob.request("INVITE"), 500, tag="b")
        call.fails(500)
        assert wire.row.reason.endswith(
            "The call failed: bob@other.test could not be reached and the phone of Bob (1002)"
            " refused the call (500 Something): it reports a fault of its own."
        )

    def test_a_name_that_takes_its_time_holds_nobody_else_up(self, world: World) -> None:
        rules = (Rule("all", DOMAIN, "1900", ACTION_FORWARD, (BOB, "1002")),)
        wire = world(rules=rules)
        alice, bob = (
            registered(wire, "1001", "198.51.100.1"),
            registered(wire, "1002", "198.51.100.2"),
        )
        call = alice.call("1900")
        bob.incoming().answer()
        call.answered()
        assert len(wire.lookups) == 1, "it is still looked for"
        other = server(wire, FIRST)
        wire.servers["other.test"] = Located((FIRST,))
        wire.settle()
        other.nothing()
        wire.advance(1)
        assert [leg.result for leg in wire.row.legs] == ["elsewhere", "answered"]

    def test_16_10_a_call_cancelled_while_its_server_is_looked_for_ends_at_once(
        self, wire: Wire, alice: Phone, first: Phone
    ) -> None:
        call = alice.call(BOB)
        call.cancel()
        alice.response(200)
        wire.advance(0.1)
        call.fails(487)
        wire.servers["other.test"] = Located((FIRST,))
        wire.settle()
        first.nothing()
        assert wire.row.result == "cancelled"

    def test_16_10_a_cancelled_call_goes_to_no_further_server(
        self, world_of_three: Wire, alice: Phone, first: Phone, second: Phone
    ) -> None:
        call = alice.call(BOB)
        invite = first.request("INVITE")
        first.reply(invite, 180, tag="f")
        call.rings()
        call.cancel()
        alice.response(200)
        cancel = first.request("CANCEL")
        assert cancel["Via"] == invite.all("Via")[0]
        first.reply(invite, 503, tag="f")
        second.nothing()
        call.fails(487)

    def test_3263_4_4_the_call_id_is_the_seed_of_the_choice(self, wire: Wire, alice: Phone) -> None:
        call = alice.call(BOB)
        assert [seed for _, seed, _ in wire.lookups] == [call.call_id]


class TestRest:
    def test_a_server_that_failed_is_tried_last_for_a_minute(
        self, world_of_three: Wire, alice: Phone, first: Phone, second: Phone
    ) -> None:
        for _ in range(2):
            call = alice.call(BOB)
            if first.inbox:
                first.request("INVITE")
                world_of_three.bounce(first.flow)
            second.reply(second.request("INVITE"), 486, tag="s")
            second.request("ACK")
            call.fails(486)
        first.nothing()
        world_of_three.attach(first, first.transport, first.host, first.port)
        world_of_three.advance(61)
        alice.call(BOB)
        first.request("INVITE")

    def test_21_5_4_retry_after_is_heeded(
        self, world_of_three: Wire, alice: Phone, first: Phone, second: Phone
    ) -> None:
        alice.call(BOB)
        first.reply(first.request("INVITE"), 503, tag="f", extra="Retry-After: 200 (maintenance)")
        first.request("ACK")
        second.request("INVITE")
        world_of_three.advance(199)
        first.inbox.clear()
        alice.inbox.clear()
        alice.call(BOB)
        first.nothing()
        world_of_three.advance(2)
        alice.inbox.clear()
        alice.call(BOB)
        first.request("INVITE")

    def test_the_list_is_bounded_and_forgets_the_oldest(self) -> None:
        resting = Resting()
        every = [Server("UDP", f"192.0.2.{n}", n) for n in range(MAX_RESTING + 1)]
        for place in every:
            resting.put(place, 1e9, 0.0)
        assert resting.last((every[1], every[0]), 1.0) == [every[0], every[1]]
        assert resting.last((every[1], every[0]), 700.0) == [every[1], every[0]], "ten minutes"
        resting.wake(every[1])
        assert resting.last((every[1], every[2]), 1.0) == [every[1], every[2]]

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("120", 120),
            (" 5 ;duration=60", 5),
            ("18000 (nap)", 18000),
            ("", 0),
            ("-1", 0),
            ("x", 0),
        ],
    )
    def test_20_33_retry_after(self, text: str, seconds: float) -> None:
        assert seconds_of(text) == seconds


class TestOtherRequests:
    def test_3263_4_3_message_goes_to_the_next_after_503_refusal_and_silence(
        self, world_of_three: Wire, alice: Phone, first: Phone, second: Phone, third: Phone
    ) -> None:
        alice.authenticated("MESSAGE", BOB, body="hello")
        first.reply(first.request("MESSAGE"), 503, tag="f")
        second.request("MESSAGE")
        world_of_three.advance(8.1)
        third.reply(third.request("MESSAGE"), 200, tag="t")
        alice.response(200)
        first.nothing()

    def test_4320_4_1_silence_of_all_is_silence(
        self, wire: Wire, alice: Phone, first: Phone
    ) -> None:
        wire.servers["other.test"] = Located((FIRST, SECOND))
        alice.authenticated("MESSAGE", BOB, body="hello")
        wire.advance(60)
        alice.nothing()
        assert wire.transactions == 0

    def test_a_name_that_leads_nowhere(self, wire: Wire, alice: Phone) -> None:
        wire.servers["other.test"] = Located((), "why")
        alice.authenticated("OPTIONS", BOB)
        alice.response(500)


class TestDialog:
    def test_3263_4_a_contact_and_a_route_with_host_names_are_followed(
        self, world_of_three: Wire, alice: Phone, first: Phone, second: Phone
    ) -> None:
        """A callee whose Record-Route names its proxy: ACK, re-INVITE and BYE go by way of it."""
        call = alice.call(BOB)
        invite = first.request("INVITE")
        routes = [f"Record-Route: {value}\n" for value in invite.all("Record-Route")]
        first.send(
            "SIP/2.0 200 OK\n"
            + "".join(f"Via: {value}\n" for value in invite.all("Via"))
            + "Record-Route: <sip:other.test;lr>\n"
            + "".join(routes)
            + f"From: {invite['From']}\nTo: {invite['To']};tag=f\nCall-ID: {invite['Call-ID']}\n"
            f"CSeq: {invite['CSeq']}\nContact: <sip:bob@203.0.113.77>\nContent-Length: 0\n\n"
        )
        dialog = call.answered()
        ack = first.request("ACK")
        assert ack.all("Route") == ["<sip:other.test;lr>"]
        assert ack.uri == "sip:bob@203.0.113.77"
        dialog.request("BYE")
        bye = first.request("BYE")
        first.reply(bye, 503)
        second.reply(second.request("BYE"), 200)
        alice.response(200)
        assert world_of_three.row.result == "answered"
