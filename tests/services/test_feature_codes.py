"""The echo test and the tone: calls that the server answers itself."""

from __future__ import annotations

import pytest

from sipengine.api import Rule
from sipengine.services.feature_codes import FEATURE_CODES
from sipengine.services.routing import ANSWER, RING, RoutingTable
from tests.services.conftest import World, person, registered
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire, snapshot

G722 = "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 9\r\n"


@pytest.mark.parametrize(("code", "program"), [("*43", "echo"), ("*44", "tone")])
def test_any_extension_is_answered_and_the_row_tells_it(
    wire: Wire, alice: Phone, code: str, program: str
) -> None:
    call = alice.call(code)
    dialog = call.answered()
    speaker = wire.media.opened[0]
    assert speaker.program == program
    assert speaker.agreed[-1][:2] == ("198.51.100.1", 40000)
    assert wire.row.state == "talking"
    wire.advance(5)
    dialog.request("BYE")
    alice.response(200)
    assert not speaker.open
    row = wire.row
    name = FEATURE_CODES[code].name
    assert (row.result, row.hangup_by, row.called) == ("answered", "caller", code)
    assert row.answered_by == name
    assert row.reason == (
        f"Alice (1001) called {code}. {name} answered after 0 s and they talked for 5 s."
        " The caller hung up."
    )
    wire.advance(40)
    assert wire.transactions == 0
    assert wire.core.counters()["own_sessions_now"] == 0


def test_it_wants_a_password_as_any_call(wire: Wire) -> None:
    stranger = Phone(wire, "1001", "203.0.113.66")
    stranger.invite("*43").fails(407)
    assert not wire.media.opened


def test_hold_and_resume_are_answered_on_the_same_port(wire: Wire, alice: Phone) -> None:
    dialog = alice.call("*43").answered()
    body = "v=0\r\no=- 1 2 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=sendonly\r\n"
    dialog.request("INVITE", body=body, extra="Content-Type: application/sdp\n")
    held = alice.response(200)
    assert "a=recvonly" in held.body
    assert "m=audio 20000 " in held.body
    assert not wire.media.opened[0].agreed[-1].sends
    dialog.ack()
    wire.advance(60)
    assert alice.wire.row.state == "talking"


def test_offer_in_the_ack_is_no_hindrance_rfc6337_3_1(wire: Wire, alice: Phone) -> None:
    call = alice.invite("*43", body=" ")
    call.body = ""
    call.authenticate()
    dialog = call.answered(acknowledge=False)
    assert not wire.media.opened[0].agreed
    body = "v=0\r\no=- 1 2 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
    dialog.request("ACK", number=call.cseq, body=body, extra="Content-Type: application/sdp\n")
    assert wire.media.opened[0].agreed[0].codec.name == "PCMA"


def test_phone_without_g711_is_told_488(wire: Wire, alice: Phone) -> None:
    failure = alice.call("*43", body=G722).fails(488)
    assert "Incompatible" in failure["Warning"]
    assert not wire.media.opened[0].open
    assert wire.row.result == "failed"
    assert "no G.711" in wire.row.reason


def test_no_port_left_is_503(wire: Wire, alice: Phone) -> None:
    wire.media.free = 0
    assert alice.call("*43").fails(503)["Retry-After"]
    assert wire.row.result == "failed"


def test_silence_ends_the_call_from_our_side(wire: Wire, alice: Phone) -> None:
    alice.call("*43").answered()
    wire.media.opened[0].ended("no sound had come from the phone for 30 s", wire.now)
    wire.settle()
    alice.reply(alice.request("BYE"), 200, "OK")
    assert wire.row.hangup_by == "system"
    assert wire.row.reason.endswith("because no sound had come from the phone for 30 s.")


def test_vanished_phone_is_found_out_by_the_session_timer_rfc4028_10(
    wire: Wire, alice: Phone
) -> None:
    alice.call("*43").answered()
    wire.detach(alice.flow)
    wire.advance(900 + 40)
    assert wire.row.state == "ended"
    assert "does not answer any more" in wire.row.reason


def test_a_restart_closes_its_row(wire: Wire, alice: Phone) -> None:
    dialog = alice.call("*43").answered()
    wire.restart()
    assert wire.row.state == "ended"
    assert "restarted" in wire.row.reason
    dialog.request("BYE")
    alice.response(481)


def test_rules_and_extensions_come_first() -> None:
    rule = Rule("mine", DOMAIN, "*43", "forward", ("1001",))
    config = snapshot([person("1001", "Alice"), person("*44", "Star")], [rule])
    table = RoutingTable(config)
    assert table.decide("*43", DOMAIN).kind == RING
    assert table.decide("*44", DOMAIN).kind == RING


def test_the_trace_names_it_and_forwards_lead_there(world: World) -> None:
    wire = world(e1002={"forward_always": "*43"})
    alice = registered(wire, "1001", "198.51.100.1")
    decision = RoutingTable(wire.config).decide("1002", DOMAIN)
    assert decision.kind == ANSWER
    assert decision.steps[-1] == "*43 is the echo test."
    alice.call("1002").answered()
    assert wire.row.answered_by == "Echo test"
