"""Max-Breadth where a request branches again: redirects, moves, stages, Routes (RFC 5393 §5.3.3)."""

from __future__ import annotations

import pytest

from sipengine.api import Rule
from tests.services.conftest import World, registered
from tests.services.events.watcher import watching
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire

FOLLOW = Rule("f", DOMAIN, "1500", "forward", ("1002", "1003"), timeout=20, follow_redirects=True)
TO_THREE = "Contact: <sip:0@203.0.113.9>, <sip:1@203.0.113.9>, <sip:2@203.0.113.9>\n"


def people(wire: Wire, *numbers: str) -> list[Phone]:
    return [registered(wire, number, f"198.51.100.{number[-1]}") for number in numbers]


def breadths(phone: Phone) -> list[str]:
    """The Max-Breadth of each INVITE that waits, "" where it has none."""
    found = [message["Max-Breadth"] or "" for message in phone.inbox if message.method == "INVITE"]
    phone.inbox.clear()
    return found


@pytest.mark.parametrize(
    ("came", "first", "then"),
    [("", "30", ["10"] * 3), ("Max-Breadth: 7\n", "3", ["1"] * 3), ("Max-Breadth: 4\n", "2", ["1"] * 2)],
)  # fmt: skip
def test_5393_5_3_3_the_contacts_of_a_3xx_share_what_the_branch_had(
    world: World, came: str, first: str, then: list[str]
) -> None:
    wire = world(rules=(FOLLOW,))
    alice, bob, carol = people(wire, "1001", "1002", "1003")
    other = Phone(wire, "other", "203.0.113.9")
    alice.call("1500", extra=came)
    ringing = bob.incoming()
    assert ringing.invite["Max-Breadth"] == first
    assert breadths(carol) == [first]
    ringing.reject(302, extra=TO_THREE)
    assert breadths(other) == then


def test_5393_5_3_3_a_single_branch_that_is_led_to_three(world: World) -> None:
    rule = Rule("f", DOMAIN, "1500", "forward", ("1002",), timeout=20, follow_redirects=True)
    wire = world(rules=(rule,))
    alice, bob = people(wire, "1001", "1002")
    other = Phone(wire, "other", "203.0.113.9")
    alice.call("1500")
    ringing = bob.incoming()
    assert not ringing.invite["Max-Breadth"]
    ringing.reject(302, extra=TO_THREE)
    assert breadths(other) == ["20"] * 3


def test_5393_5_3_3_redirects_after_redirects_never_grow(world: World) -> None:
    wire = world(rules=(FOLLOW,))
    alice, bob, carol = people(wire, "1001", "1002", "1003")
    other, last = Phone(wire, "other", "203.0.113.9"), Phone(wire, "last", "203.0.113.10")
    alice.call("1500", extra="Max-Breadth: 6\n")
    bob.incoming().reject(302, extra=TO_THREE)
    ringing = other.incoming()
    other.inbox.clear()
    ringing.reject(302, extra="Contact: <sip:0@203.0.113.10>, <sip:1@203.0.113.10>\n")
    assert breadths(last) == ["1"]
    assert breadths(carol) == ["3"]


def test_5393_5_3_3_stages_one_after_the_other_have_all_of_it(world: World) -> None:
    rule = Rule("hunt", DOMAIN, "1500", "forward", ("1002", "1003"), "sequential", timeout=20)
    wire = world(rules=(rule,))
    alice, bob, carol = people(wire, "1001", "1002", "1003")
    alice.call("1500", extra="Max-Breadth: 1\n")
    ringing = bob.incoming()
    assert ringing.invite.all("Max-Breadth") == ["1"]
    ringing.reject(486)
    assert carol.incoming().invite.all("Max-Breadth") == ["1"]


def test_5393_5_3_3_kept_for_a_phone_that_comes_back(wire: Wire, alice: Phone) -> None:
    bob = registered(wire, "1002", "203.0.113.2", 4000, transport="TCP", contact_host="10.0.0.2")
    wire.drop_connection(bob.flow)
    alice.call("1002", extra="Max-Breadth: 3\n")
    bob.reconnect(4001)
    bob.register()
    wire.advance(1)
    assert bob.incoming().invite.all("Max-Breadth") == ["3"]


def test_5393_5_3_3_kept_for_a_phone_that_moves(wire: Wire, alice: Phone) -> None:
    device = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"'
    bob = Phone(wire, "1002", "203.0.113.2", 4000, contact_host="10.0.0.2")
    bob.register(contact=f"{bob.contact};{device}")
    alice.call("1002", extra="Max-Breadth: 3\n")
    bob.request("INVITE")
    wire.detach(bob.flow)
    bob.reconnect(4001)
    bob.register(contact=f"{bob.contact};{device}")
    wire.advance(1)
    assert bob.request("INVITE").all("Max-Breadth") == ["3"]


def test_5393_5_3_3_kept_along_a_route(wire: Wire, alice: Phone) -> None:
    edge = Phone(wire, "edge", "203.0.113.9")
    for at in (21, 22):
        registered(wire, "1002", f"198.51.100.{at}")
    alice.call("1002", extra="Max-Breadth: 9\nRoute: <sip:203.0.113.9;lr>\n")
    assert breadths(edge) == ["4", "4"]


@pytest.mark.parametrize("method", ["MESSAGE", "OPTIONS", "REFER"])
def test_5393_5_3_3_other_requests_divide_it_too(wire: Wire, alice: Phone, method: str) -> None:
    phones = [registered(wire, "1002", f"198.51.100.{at}") for at in (21, 22)]
    extra = "Refer-To: <sip:1003@pbx.test>\nMax-Breadth: 5\n"
    alice.authenticated(method, f"sip:1002@{DOMAIN}", extra=extra)
    assert [phone.request(method).all("Max-Breadth") for phone in phones] == [["2"], ["2"]]


def test_5393_5_3_3_440_even_where_one_would_fit(wire: Wire, alice: Phone) -> None:
    for at in (21, 22):
        registered(wire, "1002", f"198.51.100.{at}")
    alice.authenticated("OPTIONS", f"sip:1002@{DOMAIN}", extra="Max-Breadth: 1\n")
    alice.response(440)


def test_5393_5_3_3_who_is_asked_himself_does_not_branch(wire: Wire, alice: Phone) -> None:
    """An answer of this server needs no breadth: it forwards nothing."""
    watcher = watching(alice, extra="Max-Breadth: 0\n")
    assert watcher.answer.status == 200
