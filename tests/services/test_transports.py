"""Calls between phones of different transports and address families (RFC 5658, RFC 7118, RFC 5923)."""

from __future__ import annotations

import pytest

from sipengine.services.own_addresses import OwnAddresses
from sipengine.sip.flow import Flow
from tests.services.conftest import person
from tests.services.many_ways import SERVER_V6, AnyPhone, ManyWays
from tests.services.user_agents import Dialog, IncomingCall
from tests.services.wire import SERVER, snapshot
from tests.support.wire import parameter

V4 = {"1001": "198.51.100.1", "1002": "198.51.100.2"}
V6 = {"1001": "2001:db8:a::1", "1002": "2001:db8:b::2"}
TOLD = {
    "UDP": "{}:5060;lr", "TCP": "{}:5060;lr;transport=tcp", "TLS": "{}:5061;lr;transport=tls",
    "WS": "{}:8088;lr;transport=ws", "WSS": "{}:8443;lr;transport=wss",
}  # fmt: skip


@pytest.fixture
def wire() -> ManyWays:
    return ManyWays(snapshot([person("1001", "Alice"), person("1002", "Bob")]))


def phone(wire: ManyWays, number: str, way: str) -> AnyPhone:
    """A registered phone; `way` is `TLS/6`: the transport and the IP version."""
    transport, _, version = way.partition("/")
    host = (V6 if version == "6" else V4)[number]
    made = AnyPhone(wire, number, host, 5060 if transport == "UDP" else 40_312, transport=transport)
    answer = made.register()
    assert answer.status == 200, answer
    assert made.contact.strip("<>") in answer["Contact"]
    return made


def told(way: str) -> str:
    transport, _, version = way.partition("/")
    return TOLD[transport].format(f"[{SERVER_V6}]" if version == "6" else SERVER[0])


def beginning(record_route: str) -> str:
    return record_route.removeprefix("<sip:").partition(";f=")[0]


def talk(alice: AnyPhone, bob: AnyPhone) -> tuple[Dialog, Dialog, IncomingCall]:
    call = alice.call("1002")
    incoming = bob.incoming()
    theirs = incoming.answer()
    mine = call.answered()
    bob.request("ACK")
    return mine, theirs, incoming


def exchange(dialog: Dialog, other: AnyPhone, method: str = "INFO") -> None:
    dialog.request(method)
    request = other.request(method)
    assert request.uri == dialog.target
    assert request.all("Route") == []
    other.reply(request, 200, "OK")
    assert dialog.phone.response(200)["CSeq"] == f"{dialog.cseq} {method}"


DIFFERENT = [
    ("UDP/4", "TLS/4"), ("TLS/4", "UDP/4"), ("WSS/4", "UDP/4"), ("UDP/4", "WS/4"), ("TLS/4", "WSS/4"),
    ("UDP/4", "UDP/6"), ("UDP/6", "UDP/4"), ("TLS/6", "TCP/4"), ("TCP/4", "WSS/6"), ("WS/6", "TLS/4"),
]  # fmt: skip
ALIKE = [("TLS/4", "TLS/4"), ("WSS/4", "WSS/4"), ("UDP/6", "UDP/6"), ("TLS/6", "TLS/6")]


@pytest.mark.parametrize(("caller", "callee"), DIFFERENT)
def test_5658_3_3_two_record_routes_and_every_request_finds_its_way(
    wire: ManyWays, caller: str, callee: str
) -> None:
    alice, bob = phone(wire, "1001", caller), phone(wire, "1002", callee)
    mine, theirs, incoming = talk(alice, bob)
    routes = incoming.invite.all("Record-Route")
    assert [beginning(value) for value in routes] == [told(callee), told(caller)]
    exchange(mine, bob)
    exchange(theirs, alice)
    theirs.request("INVITE", body="v=0")
    alice.reply(alice.request("INVITE"), 200, "OK", extra=f"Contact: {alice.contact}")
    assert bob.response(100)
    assert bob.response(200)
    theirs.ack()
    alice.request("ACK")
    exchange(theirs, alice, "BYE")
    assert wire.row.hangup_by == "callee"


@pytest.mark.parametrize(("caller", "callee"), ALIKE)
def test_5658_3_1_one_record_route_is_enough_where_both_sides_are_alike(
    wire: ManyWays, caller: str, callee: str
) -> None:
    mine, _, incoming = talk(phone(wire, "1001", caller), bob := phone(wire, "1002", callee))
    assert [beginning(value) for value in incoming.invite.all("Record-Route")] == [told(callee)]
    exchange(mine, bob, "BYE")


@pytest.mark.parametrize(
    ("caller", "callee"), [("UDP/4", "TLS/4"), ("WSS/4", "UDP/6"), ("TLS/6", "WS/4")]
)
def test_a_dialog_outlives_the_engine_over_every_transport(
    wire: ManyWays, caller: str, callee: str
) -> None:
    alice, bob = phone(wire, "1001", caller), phone(wire, "1002", callee)
    mine, theirs, _ = talk(alice, bob)
    wire.restart()
    for one in (alice, bob):  # connections died with it: the phones come back from other ports
        if one.transport != "UDP":
            contact = one.contact
            one.reconnect(one.port + 7)
            one.register(contact=contact)
    mine.request("INFO")
    request = bob.request("INFO")
    bob.reply(request, 200, "OK")
    assert alice.response(200)
    exchange(theirs, alice, "BYE")


@pytest.mark.parametrize(
    ("way", "sent_by"),
    [("TLS/4", "TLS 192.0.2.1:5061"), ("WS/4", "WS 192.0.2.1:8088"), ("WSS/4", "WSS 192.0.2.1:8443"),
     ("UDP/6", "UDP [2001:db8::1]:5060"), ("TLS/6", "TLS [2001:db8::1]:5061")],
)  # fmt: skip
def test_18_1_1_our_via_names_the_transport_and_an_address_of_the_peers_family(
    wire: ManyWays, way: str, sent_by: str
) -> None:
    alice, bob = phone(wire, "1001", "UDP/4"), phone(wire, "1002", way)
    alice.call("1002")
    via = bob.request("INVITE")["Via"]
    assert via.startswith(f"SIP/2.0/{sent_by};branch=z9hG4bK")
    assert ";alias" not in via, "a phone's own connection is used for what registered there"


# ---------------------------------------------------------------------- RFC 7118


@pytest.mark.parametrize("transport", ["WS", "WSS"])
def test_7118_5_2_3_a_browser_is_told_where_it_came_from_and_found_by_its_connection(
    wire: ManyWays, transport: str
) -> None:
    bob = AnyPhone(wire, "1002", "198.51.100.2", 40_000, transport=transport)
    answer = bob.register()
    assert parameter(answer["Via"], "received") == "198.51.100.2"
    assert parameter(answer["Via"], "rport") == "40000"
    alice = phone(wire, "1001", "UDP/4")
    alice.call("1002")
    assert bob.request("INVITE").uri == bob.contact.strip("<>")


def test_7118_5_3_a_browser_whose_connection_has_gone_has_no_phone_until_it_is_back(
    wire: ManyWays,
) -> None:
    alice, bob = phone(wire, "1001", "TLS/4"), phone(wire, "1002", "WSS/4")
    wire.drop_connection(bob.flow)
    call = alice.call("1002")
    wire.advance(6.1)  # as long as a call waits for it to come back
    call.fails(480)
    bob.nothing()
    bob.reconnect(40_999)
    bob.register()
    alice.call("1002")
    bob.request("INVITE")


def test_7118_5_2_4_over_a_websocket_no_length_is_needed_and_over_tls_it_is(
    wire: ManyWays,
) -> None:
    for way, status in (("WSS/4", 200), ("TLS/4", 400)):
        alice = AnyPhone(wire, "1001", "198.51.100.1", 40_000, transport=way[:-2])
        alice.send(
            f"OPTIONS sip:pbx.test SIP/2.0\nVia: {alice.via()}\nMax-Forwards: 70\n"
            f"From: <{alice.aor}>;tag=1\nTo: <sip:pbx.test>\nCall-ID: o-{way}\nCSeq: 1 OPTIONS\n\n"
        )
        assert alice.receive().status == status


# ---------------------------------------------------------------------- RFC 5923, RFC 5630


def test_5923_7_1_we_offer_our_own_connections_for_the_other_direction() -> None:
    addresses = OwnAddresses(SERVER, {"TLS": 5061})
    ours = Flow("TLS", ("192.0.2.1", 50_000), ("203.0.113.9", 5061))
    theirs = Flow("TLS", ("192.0.2.1", 5061), ("203.0.113.9", 50_000))
    assert addresses.via(ours) == "SIP/2.0/TLS 192.0.2.1:5061;alias"
    assert addresses.via(theirs) == "SIP/2.0/TLS 192.0.2.1:5061"
    assert ours.via, "it is written once for each flow"


def test_5923_8_2_an_alias_that_anybody_writes_draws_no_requests_to_him(wire: ManyWays) -> None:
    """Mallory says `alias` with Bob's address over a connection of hers."""
    bob = AnyPhone(wire, "1002", "198.51.100.2", 5061, transport="TLS")
    bob.register()
    mallory = AnyPhone(wire, "1009", "203.0.113.66", 50_000, transport="TLS")
    mallory.send(
        "OPTIONS sip:pbx.test SIP/2.0\nVia: SIP/2.0/TLS 198.51.100.2:5061;branch=z9hG4bKm;alias\n"
        "Max-Forwards: 70\nFrom: <sip:x@y>;tag=1\nTo: <sip:pbx.test>\nCall-ID: m\n"
        "CSeq: 1 OPTIONS\nContent-Length: 0\n\n"
    )
    assert mallory.receive().status == 200
    phone(wire, "1001", "UDP/4").call("1002")
    bob.request("INVITE")
    mallory.nothing()


def test_what_other_addresses_are_told() -> None:
    lan, world = "10.0.0.1", "203.0.113.1"
    addresses = OwnAddresses((world, 5060), by_local={lan: lan, world: world})
    for own in (lan, world):
        flow = Flow("UDP", (own, 5060), ("10.0.0.7", 5060))
        assert addresses.via(flow) == f"SIP/2.0/UDP {own}:5060"
        assert addresses.route(flow) == f"<sip:{own}:5060;lr"
        assert addresses.wrote(f"{flow.route};f=x>")
    assert addresses.hosts == {lan, world}
    unknown = Flow("UDP", ("0.0.0.0", 0), ("name.example", 5060))
    assert addresses.via(unknown) == f"SIP/2.0/UDP {world}:5060"
    assert not addresses.wrote("<sip:192.0.2.99:5060;lr;f=x>")
