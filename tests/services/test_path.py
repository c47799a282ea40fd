"""Path (RFC 3327): phones behind other proxies."""

from __future__ import annotations

import pytest

from tests.services.phones import Registrations
from tests.services.user_agents import Phone
from tests.services.wire import Wire

DESK = "<sip:1001@10.0.0.5:5060>"
EDGE = "<sip:token@198.51.100.80;lr;ob>"


@pytest.fixture
def pbx() -> Registrations:
    return Registrations()


@pytest.mark.parametrize(
    "path",
    [
        "<tel:123>",
        "<sip:edge.test;transport=sctp>",
        "sip:a b",
        "<>",
        "junk",
        f"<sip:{'a' * 2100}>",
        "<sip:ok.test;lr>, <http://x>",
    ],
)
def test_rfc3327_5_3_a_path_that_leads_nowhere_is_400(pbx: Registrations, path: str) -> None:
    done = pbx.register(DESK, headers=(f"Path: {path}",))
    assert done.status == 400
    assert "Path" in done.reason
    assert pbx.contacts() == []


def test_rfc3327_5_3_require_path_is_understood(wire: Wire) -> None:
    phone = Phone(wire, "1001", "198.51.100.1")
    answer = phone.register(extra=f"Require: path\nSupported: path\nPath: {EDGE}\n")
    assert answer.status == 200
    assert answer["Path"] == EDGE


def test_rfc3327_5_3_a_phone_that_does_not_know_path_is_not_told_it(wire: Wire) -> None:
    phone = Phone(wire, "1001", "198.51.100.1")
    answer = phone.register(extra=f"Path: {EDGE}\n")
    assert answer.status == 200
    assert not answer["Path"]


def test_rfc3327_5_4_a_call_goes_by_way_of_the_path(wire: Wire, alice: Phone) -> None:
    edge = Phone(wire, "1002", "198.51.100.80", device="the edge")
    contact = "<sip:1002@10.0.0.2:5060>"
    assert edge.register(contact=contact, extra=f"Supported: path\nPath: {EDGE}\n").status == 200
    call = alice.call("1002")
    incoming = edge.incoming()
    assert incoming.invite.uri == contact.strip("<>")
    assert incoming.invite.all("Route") == [EDGE]
    incoming.answer()
    call.answered()


def test_rfc3327_5_4_two_edges_are_passed_in_their_order(wire: Wire, alice: Phone) -> None:
    edge = Phone(wire, "1002", "198.51.100.80", device="the edge")
    path = f"{EDGE}, <sip:inner.test;lr>"
    edge.register(contact="<sip:1002@10.0.0.2:5060>", extra=f"Path: {path}\n")
    alice.call("1002")
    assert edge.incoming().invite.all("Route") == [EDGE, "<sip:inner.test;lr>"]


def test_rfc5626_5_3_an_edge_that_lost_the_flow_makes_way_for_another(
    wire: Wire, alice: Phone
) -> None:
    """Flows of one phone by two edges (RFC 5626 §3.4)."""
    edges = []
    for number in (1, 2):
        edge = Phone(wire, "1002", f"198.51.100.8{number}", device=f"edge {number}")
        contact = f'<sip:1002@10.0.0.2>;+sip.instance="<urn:uuid:b>";reg-id={number}'
        path = f"Path: <sip:t{number}@{edge.host};lr;ob>\nSupported: outbound, path\n"
        via = "Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKphone\n"
        answer = edge.register(contact=contact, extra=f"{via}{path}")
        assert answer["Require"] == "outbound"
        edges.append(edge)
        wire.advance(1)
    call = alice.call("1002")
    edges[1].incoming().reject(430, "Flow Failed")
    incoming = edges[0].incoming()
    assert incoming.invite.all("Route") == ["<sip:t1@198.51.100.81;lr;ob>"]
    incoming.answer()
    call.answered()


def test_a_phone_behind_an_edge_is_asked_by_nobody_but_the_edge(wire: Wire) -> None:
    edge = Phone(wire, "1002", "198.51.100.80")
    edge.register(contact="<sip:1002@10.0.0.2:5060>", extra=f"Path: {EDGE}\n")
    wire.advance(100)
    edge.nothing()
