"""Where a call has been: History-Info (RFC 7044), Diversion (RFC 5806), and how far it may fork (RFC 5393)."""

from __future__ import annotations

import pytest

from sipengine.api import Rule
from tests.services.conftest import World, registered
from tests.services.user_agents import Phone, password_of
from tests.services.wire import DOMAIN, Wire
from tests.support.wire import digest

CAROL_CONTACT = "sip:1003@198.51.100.3:5060"


def people(wire: Wire, *numbers: str) -> list[Phone]:
    return [registered(wire, number, f"198.51.100.{number[3]}") for number in numbers]


def test_7044_a_plain_call_has_no_history(alice: Phone, bob: Phone) -> None:
    alice.call("1002")
    invite = bob.request("INVITE")
    for name in ("History-Info", "Diversion", "Max-Breadth"):
        assert invite.all(name) == []


def test_7044_10_4_a_forward_is_told(world: World) -> None:
    wire = world(e1002={"forward_always": "1003"})
    alice, carol = people(wire, "1001", "1003")
    alice.call("1002")
    invite = carol.request("INVITE")
    assert invite.all("History-Info") == [
        f"<sip:1002@{DOMAIN}?Reason=SIP%3Bcause%3D302>;index=1",
        f"<sip:1003@{DOMAIN};cause=302>;index=1.1;mp=1",
        f"<{CAROL_CONTACT}>;index=1.1.1;rc=1.1",
    ]
    assert invite.all("Diversion") == [
        f"<sip:1002@{DOMAIN}>;reason=unconditional;counter=1;privacy=off"
    ]


def test_7044_a_busy_forward_comes_second_and_says_why(world: World) -> None:
    wire = world(e1002={"forward_busy": "1003"})
    alice, bob, carol = people(wire, "1001", "1002", "1003")
    alice.call("1002")
    first = bob.incoming()
    assert first.invite.all("History-Info") == []
    first.reject(486)
    invite = carol.request("INVITE")
    assert f"<sip:1002@{DOMAIN}?Reason=SIP%3Bcause%3D486>;index=1" in invite.all("History-Info")
    assert f"<sip:1003@{DOMAIN};cause=486>;index=1.1;mp=1" in invite.all("History-Info")
    assert "reason=user-busy" in invite["Diversion"]


def test_7044_forwards_in_a_row_5806_4_the_latest_on_top(world: World) -> None:
    wire = world(e1002={"forward_always": "1003"}, e1003={"forward_no_answer": "1004"})
    alice, carol, dave = people(wire, "1001", "1003", "1004")
    alice.call("1002")
    carol.incoming().ring()
    wire.advance(21)
    invite = dave.request("INVITE")
    entries = invite.all("History-Info")
    assert [entry.partition("index=")[2] for entry in entries] == [
        "1", "1.2;mp=1", "1.2.1;mp=1.2", "1.2.1.1;rc=1.2.1",
    ]  # fmt: skip
    assert "cause%3D408" in entries[1]
    assert [value.split(";")[1] for value in invite.all("Diversion")] == [
        "reason=no-answer", "reason=unconditional",
    ]  # fmt: skip


def test_7044_10_3_an_entry_that_came_is_carried_on(alice: Phone, bob: Phone) -> None:
    alice.call("1002", extra="History-Info: <sip:old@elsewhere.example>;index=1\n")
    assert bob.request("INVITE").all("History-Info") == [
        "<sip:old@elsewhere.example>;index=1",
        f"<sip:1002@{DOMAIN}>;index=1.1",
        "<sip:1002@198.51.100.2:5060>;index=1.1.1;rc=1.1",
    ]


@pytest.mark.parametrize("broken", ["index", "<sip:x", "<sip:x@y>;index=" + "1." * 4000 + "1", ","])
def test_7044_a_broken_history_harms_nobody(alice: Phone, bob: Phone, broken: str) -> None:
    alice.call("1002", extra=f"History-Info: {broken}\n")
    invite = bob.request("INVITE")
    assert all(len(entry) < 9000 for entry in invite.all("History-Info"))


def test_7044_10_1_2_who_wants_no_history_is_not_in_it(world: World) -> None:
    wire = world(e1002={"forward_always": "1003"})
    alice, carol = people(wire, "1001", "1003")
    alice.call("1002", extra="Privacy: history\n")
    invite = carol.request("INVITE")
    assert "1002" not in "".join(invite.all("History-Info") + invite.all("Diversion"))
    assert "privacy=full" in invite["Diversion"]


def test_5393_5_3_3_a_fork_shares_the_breadth(world: World) -> None:
    rule = Rule("team", DOMAIN, "1500", "forward", ("1002", "1003", "1004"))
    wire = world(rules=(rule,))
    alice, *others = people(wire, "1001", "1002", "1003", "1004")
    alice.call("1500")
    assert [phone.request("INVITE")["Max-Breadth"] for phone in others] == ["20"] * 3


def test_5393_5_3_3_what_came_is_shared_and_never_grows(world: World) -> None:
    rule = Rule("team", DOMAIN, "1500", "forward", ("1002", "1003"))
    wire = world(rules=(rule,))
    alice, *others = people(wire, "1001", "1002", "1003")
    alice.call("1500", extra="Max-Breadth: 5\n")
    for phone in others:
        assert phone.request("INVITE").all("Max-Breadth") == ["2"]


def test_5393_5_3_3_440_where_it_is_not_enough(world: World) -> None:
    rule = Rule("team", DOMAIN, "1500", "forward", ("1002", "1003"))
    wire = world(rules=(rule,))
    alice, *others = people(wire, "1001", "1002", "1003")
    call = alice.call("1500", extra="Max-Breadth: 1\n")
    call.fails(440)
    for phone in others:
        phone.nothing()
    assert (wire.row.result, wire.row.sip_status) == ("failed", 440)


def test_5393_5_3_3_440_for_none_at_all_and_400_for_nonsense(alice: Phone, bob: Phone) -> None:
    alice.invite("1002", extra="Max-Breadth: 0\n").fails(440)
    alice.invite("1002", extra="Max-Breadth: many\n").fails(400)
    bob.nothing()


def test_5393_5_3_3_other_requests_too(wire: Wire, alice: Phone) -> None:
    phones = [registered(wire, "1002", f"198.51.100.{at}") for at in (21, 22)]
    target = f"sip:1002@{DOMAIN}"

    def send(breadth: str) -> None:
        alice.other_request("MESSAGE", target)
        challenge = alice.response(407)["Proxy-Authenticate"]
        value = digest(challenge, "1001", password_of("1001"), "MESSAGE", target)
        alice.other_request("MESSAGE", target, extra=f"Proxy-Authorization: {value}\n{breadth}")

    send("")
    assert [phone.request("MESSAGE")["Max-Breadth"] for phone in phones] == ["30", "30"]
    send("Max-Breadth: 8\n")
    assert [phone.request("MESSAGE").all("Max-Breadth") for phone in phones] == [["4"], ["4"]]
    send("Max-Breadth: 1\n")
    alice.response(440)
    for phone in phones:
        phone.nothing()
