"""Routes to other servers in a new request of one of our users (RFC 3261 §16.4 to §16.6)."""

from __future__ import annotations

import pytest

from sipengine.sip.next_hop import Located, Server
from tests.services.user_agents import Phone
from tests.services.wire import SERVER, Wire

EDGE = Server("UDP", "203.0.113.9", 5060, "edge.test")
FAR = "sip:bob@far.test"


@pytest.fixture
def edge(wire: Wire) -> Phone:
    wire.servers["edge.test"] = Located((EDGE,))
    return Phone(wire, "edge", EDGE.host, EDGE.port)


@pytest.mark.parametrize("route", ["<sip:edge.test;lr>", f"<sip:{EDGE.host};lr>"])
def test_16_6_6_a_call_goes_where_its_route_says(alice: Phone, edge: Phone, route: str) -> None:
    alice.call(FAR, extra=f"Route: {route}\n")
    invite = edge.request("INVITE")
    assert invite.uri == FAR
    assert invite.all("Route") == [route]


def test_16_4_our_own_route_before_it_is_taken_off(alice: Phone, edge: Phone) -> None:
    ours = f"Route: <sip:{SERVER[0]}:{SERVER[1]};lr>\n"
    alice.call(FAR, extra=f"{ours}Route: <sip:edge.test;lr>, <sip:next.test;lr>\n")
    assert edge.request("INVITE").all("Route") == ["<sip:edge.test;lr>", "<sip:next.test;lr>"]


def test_16_6_6_a_strict_router_gets_its_own_uri_as_request_uri(alice: Phone, edge: Phone) -> None:
    alice.call(FAR, extra="Route: <sip:edge.test>, <sip:next.test;lr>\n")
    invite = edge.request("INVITE")
    assert invite.uri == "sip:edge.test"
    assert invite.all("Route") == ["<sip:next.test;lr>", f"<{FAR}>"]


def test_16_5_a_called_phone_of_ours_is_reached_by_way_of_the_route(
    alice: Phone, bob: Phone, edge: Phone
) -> None:
    alice.call("1002", extra="Route: <sip:edge.test;lr>\n")
    assert edge.request("INVITE").uri == bob.contact.strip("<>")
    bob.nothing()


def test_9_1_cancel_and_ack_take_the_same_way(wire: Wire, alice: Phone, edge: Phone) -> None:
    call = alice.call(FAR, extra="Route: <sip:edge.test;lr>\n")
    invite = edge.request("INVITE")
    edge.reply(invite, 180, tag="e")
    call.rings()
    call.cancel()
    alice.response(200)
    cancel = edge.request("CANCEL")
    assert cancel.all("Route") == invite.all("Route")
    edge.reply(cancel, 200)
    edge.reply(invite, 487, tag="e")
    assert edge.request("ACK").all("Route") == invite.all("Route")


def test_other_requests_follow_their_route(alice: Phone, edge: Phone) -> None:
    alice.authenticated("MESSAGE", FAR, extra="Route: <sip:edge.test;lr>\n", body="hello")
    message = edge.request("MESSAGE")
    assert (message.uri, message.all("Route")) == (FAR, ["<sip:edge.test;lr>"])


def test_a_route_that_turns_out_to_be_ourselves_is_left_out(
    wire: Wire, alice: Phone, bob: Phone
) -> None:
    """A phone's outbound proxy is often our address by a name that we were never told."""
    wire.servers["sip.office.test"] = Located((Server("UDP", *SERVER, "sip.office.test"),))
    call = alice.call("1002", extra="Route: <sip:sip.office.test;lr>\n")
    incoming = bob.incoming()
    assert incoming.invite.all("Route") == []
    incoming.answer()
    call.answered()
    bob.request("ACK")
    alice.authenticated("MESSAGE", "sip:1002@pbx.test", extra="Route: <sip:sip.office.test;lr>\n")
    assert bob.request("MESSAGE").all("Route") == []


def test_behind_ourselves_the_next_route_counts(wire: Wire, alice: Phone, edge: Phone) -> None:
    wire.servers["sip.office.test"] = Located((Server("UDP", *SERVER, "sip.office.test"),))
    for method in ("INVITE", "OPTIONS"):
        routes = "Route: <sip:sip.office.test;lr>, <sip:edge.test;lr>\n"
        if method == "INVITE":
            alice.call(FAR, extra=routes)
        else:
            alice.authenticated(method, FAR, extra=routes)
        assert edge.request(method).all("Route") == ["<sip:edge.test;lr>"]


def test_an_outside_name_that_is_ourselves_makes_no_endless_loop(wire: Wire, alice: Phone) -> None:
    wire.servers["far.test"] = Located((Server("UDP", *SERVER, "far.test"),))
    alice.call(FAR)
    (looped,) = [data for flow, data in wire.sent if flow.remote == SERVER]
    itself = wire.flow_to("UDP", *SERVER)
    wire.receive(looped, itself)
    statuses = [data for flow, data in wire.sent if flow is itself and data.startswith(b"SIP/2.0 ")]
    assert statuses, "it is answered"
    assert statuses[-1].startswith(b"SIP/2.0 482") or statuses[-1].startswith(b"SIP/2.0 407")


@pytest.mark.parametrize(
    ("route", "status"),
    [
        ("<tel:+4312345>", 400),
        ("<sip:edge.test;transport=sctp;lr>", 416),
        ("<sip:edge test;lr>", 400),
    ],
)
def test_a_route_that_leads_nowhere_is_refused(
    wire: Wire, alice: Phone, route: str, status: int
) -> None:
    call = alice.invite(FAR, extra=f"Route: {route}\n")
    if alice.inbox[0].status == 407:
        call.authenticate()
    call.fails(status)
    assert wire.core.counters()["calls_now"] == 0


def test_16_3_a_stranger_may_not_use_us_as_a_relay(wire: Wire, edge: Phone) -> None:
    stranger = Phone(wire, "mallory", "198.51.100.66")
    stranger.other_request("MESSAGE", FAR, extra="Route: <sip:edge.test;lr>\n")
    stranger.response(407)
    edge.nothing()
