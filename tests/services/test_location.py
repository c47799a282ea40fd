"""The location service: order, the way to a contact, expiry, restoring."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipengine.api import BindingGone, BindingRecord, Fact
from sipengine.services.binding import Binding
from sipengine.services.location import MAX_EXPIRED_AT_ONCE, Location
from sipengine.sip.flow import Flow
from tests.services.phones import ALICE, LOCAL, WALL, FlowsWithoutSockets, Registrations


@pytest.fixture
def pbx() -> Registrations:
    return Registrations()


def registered(pbx: Registrations, contact: str, flow: Flow) -> Binding:
    pbx.register(f"<{contact}>", flow=flow)
    found = pbx.location.binding_for_contact(contact)
    assert found is not None
    return found


# ---------------------------------------------------------------------- the way to a contact


def test_contact_at_its_own_source_is_reached_by_the_flow_it_came_on(pbx: Registrations) -> None:
    flow = pbx.udp()
    binding = registered(pbx, "sip:1001@10.0.0.5", flow)
    assert pbx.location.target_flow(binding) is flow


def test_contact_at_another_port_of_its_host_is_reached_there(pbx: Registrations) -> None:
    """A phone that listens at one socket and sends from another; RFC 3261 §16.6 step 7."""
    binding = registered(pbx, "sip:1001@10.0.0.5:5070", pbx.udp())
    target = pbx.location.target_flow(binding)
    assert target is pbx.udp(port=5070)
    assert pbx.location.target_flow(binding) is target


def test_contact_behind_nat_is_reached_where_it_came_from(pbx: Registrations) -> None:
    source = pbx.udp("203.0.113.9", 33000)
    binding = registered(pbx, "sip:1001@192.168.1.5:5060", source)
    assert pbx.location.target_flow(binding) is source


def test_contact_whose_nat_moved_is_reached_at_the_new_place(pbx: Registrations) -> None:
    binding = registered(pbx, "sip:1001@192.168.1.5:5060", pbx.udp("203.0.113.9", 33000))
    pbx.location.target_flow(binding)
    moved = pbx.udp("203.0.113.9", 44000)
    registered(pbx, "sip:1001@192.168.1.5:5060", moved)
    assert pbx.location.target_flow(binding) is moved


def test_contact_of_another_transport_is_reached_by_that(pbx: Registrations) -> None:
    binding = registered(pbx, "sip:1001@10.0.0.5:5070;transport=tcp", pbx.udp())
    first = pbx.location.target_flow(binding)
    assert first is not None
    assert (first.transport, first.remote) == ("TCP", ("10.0.0.5", 5070))
    first.open = False
    again = pbx.location.target_flow(binding)
    assert again is not None
    assert again.open


def test_contact_over_ipv6(pbx: Registrations) -> None:
    flow = pbx.udp("2001:db8::5", 5060)
    binding = registered(pbx, "sip:1001@[2001:db8::5]:5060", flow)
    assert binding.received == "[2001:db8::5]:5060"
    assert pbx.location.target_flow(binding) is flow


def test_connection_is_used_while_it_is_open_then_the_contact_itself(pbx: Registrations) -> None:
    flow = pbx.tcp()
    binding = registered(pbx, "sip:1001@10.0.0.5:5070;transport=tcp", flow)
    assert pbx.location.target_flow(binding) is flow
    flow.open = False
    pbx.location.flow_closed(flow, pbx.now)
    target = pbx.location.target_flow(binding)
    assert target is not None
    assert (target.transport, target.remote) == ("TCP", ("10.0.0.5", 5070))


def test_behind_nat_a_closed_connection_leaves_no_way_until_the_phone_is_back(
    pbx: Registrations,
) -> None:
    flow = pbx.tcp("203.0.113.9", 33000)
    contact = "sip:1001@192.168.1.5:5060;transport=tcp"
    binding = registered(pbx, contact, flow)
    flow.open = False
    pbx.location.flow_closed(flow, pbx.now)
    assert pbx.location.target_flow(binding) is None
    assert pbx.contacts() == [contact]
    back = pbx.tcp("203.0.113.9", 34000)
    assert registered(pbx, contact, back) is binding
    assert pbx.location.target_flow(binding) is back


def test_closing_the_connection_a_phone_has_left_changes_nothing(pbx: Registrations) -> None:
    old, new = pbx.tcp(port=40001), pbx.tcp(port=40002)
    binding = registered(pbx, "sip:1001@10.0.0.5;transport=tcp", old)
    registered(pbx, "sip:1001@10.0.0.5;transport=tcp", new)
    old.open = False
    pbx.location.flow_closed(old, pbx.now)
    assert pbx.location.target_flow(binding) is new


def test_contact_by_websocket_cannot_be_connected_to_rfc7118_5(pbx: Registrations) -> None:
    flow = Flow("WS", LOCAL, ("10.0.0.5", 40000))
    binding = registered(pbx, "sip:1001@df7jal23ls0d.invalid;transport=ws", flow)
    assert pbx.location.target_flow(binding) is flow
    flow.open = False
    assert pbx.location.target_flow(binding) is None


# ---------------------------------------------------------------------- the index of contacts


def test_contact_is_found_by_its_text_until_it_ends(pbx: Registrations) -> None:
    binding = registered(pbx, "sip:1001@10.0.0.5", pbx.udp())
    assert binding.aor == ALICE.aor
    pbx.register("<sip:1001@10.0.0.5>", expires=0)
    assert pbx.location.binding_for_contact("sip:1001@10.0.0.5") is None


def test_nobody_takes_over_the_contact_of_another_aor() -> None:
    flows, facts = FlowsWithoutSockets(), list[Fact]()
    location = Location(flows, facts)

    def binding(aor: str) -> Binding:
        made = Binding(aor, "sip:x@10.0.0.5", "", 1.0, "", 0, 0.0)
        made.expires = 100.0
        return made

    first, thief = binding("1001@a"), binding("1002@a")
    location.add(first, 0.0, WALL)
    location.add(thief, 0.0, WALL)
    assert location.binding_for_contact("sip:x@10.0.0.5") is first
    location.refresh(thief, False, 0.0, WALL)
    assert location.binding_for_contact("sip:x@10.0.0.5") is first
    location.remove(first, "removed", WALL)
    assert location.binding_for_contact("sip:x@10.0.0.5") is None
    location.refresh(thief, False, 0.0, WALL)
    assert location.binding_for_contact("sip:x@10.0.0.5") is thief


# ---------------------------------------------------------------------- expiry


def test_expired_contact_ends_within_a_second_and_is_told(pbx: Registrations) -> None:
    pbx.now = 1000.25
    pbx.register("<sip:1001@10.0.0.5>", expires=60)
    pbx.take_facts()
    due = pbx.location.next_expiry()
    assert due is not None
    assert 1060.25 <= due < 1061.25
    pbx.now = due
    pbx.location.expire(pbx.now, pbx.wall)
    assert pbx.facts == [BindingGone(ALICE.aor, "sip:1001@10.0.0.5", "expired", pbx.wall, "")]
    assert len(pbx.location) == 0
    assert pbx.location.next_expiry() is None


def test_shorter_expiry_holds_at_once(pbx: Registrations) -> None:
    pbx.register("<sip:1001@10.0.0.5>", expires=3600)
    pbx.register("<sip:1001@10.0.0.5>", expires=60)
    assert pbx.location.next_expiry() == 1060.0


def test_many_due_at_once_end_in_bounded_steps() -> None:
    facts = list[Fact]()
    location = Location(FlowsWithoutSockets(), facts)
    count = 2 * MAX_EXPIRED_AT_ONCE + 5
    for number in range(count):
        binding = Binding(f"{number}@a", f"sip:{number}@b", "", 1.0, "", 0, 0.0)
        binding.expires = 10.0
        location.add(binding, 0.0, WALL)
    facts.clear()
    rounds = 0
    while (due := location.next_expiry()) is not None:
        assert due <= 20.0
        location.expire(20.0, WALL)
        rounds += 1
    assert (rounds, len(facts), len(location)) == (3, count, 0)


STEP = st.one_of(
    st.tuples(st.just("set"), st.integers(0, 5), st.integers(1, 12)),
    st.tuples(st.just("remove"), st.integers(0, 5), st.just(0)),
    st.tuples(st.just("wait"), st.just(0), st.integers(0, 4)),
)


@settings(max_examples=300)
@given(st.lists(STEP, max_size=60))
def test_expiry_is_what_a_scan_of_all_bindings_finds(steps: list[tuple[str, int, int]]) -> None:
    facts = list[Fact]()
    location = Location(FlowsWithoutSockets(), facts)
    now = 0.5
    naive: dict[int, Binding] = {}
    for kind, which, seconds in steps:
        facts.clear()
        if kind == "set" and which in naive:
            naive[which].expires = now + seconds
            location.refresh(naive[which], False, now, WALL)
        elif kind == "set":
            made = Binding(f"{which}@a", f"sip:{which}@b", "", 1.0, "", 0, now)
            made.expires = now + seconds
            naive[which] = made
            location.add(made, now, WALL)
        elif kind == "remove" and which in naive:
            location.remove(naive.pop(which), "removed", WALL)
        else:
            now += seconds
        location.expire(now, WALL)
        # Buckets end on whole seconds: at most that much later than a scan would find.
        gone = {f.contact for f in facts if isinstance(f, BindingGone) and f.why == "expired"}
        assert {b.contact for b in naive.values() if b.expires <= int(now)} <= gone
        assert gone <= {b.contact for b in naive.values() if b.expires <= now}
        naive = {n: b for n, b in naive.items() if f"sip:{n}@b" not in gone}
        for number in range(6):
            living = [b for n, b in naive.items() if n == number and b.expires > now]
            assert list(location.contacts(f"{number}@a", now)) == living
        assert len(location) == len(naive)
        due = location.next_expiry()
        assert (due is None) == (not naive)
        assert due is None or due <= min(b.expires for b in naive.values()) + 1


# ---------------------------------------------------------------------- restoring


def record(**changes: object) -> BindingRecord:
    values: dict[str, object] = {
        "aor": ALICE.aor, "contact": "sip:1001@192.168.1.5:5060", "params": ";q=0.5", "q": 0.5,
        "expires_at": WALL + 1600, "call_id": "call-1", "cseq": 7, "path": ["<sip:e;lr>"],
        "transport": "UDP", "received": "203.0.113.9:33000", "local": "10.0.0.1:5060",
        "user_agent": "Desk", "instance": "", "reg_id": 0,
        "registered_at": WALL + 500, "updated_at": WALL + 800,
    }  # fmt: skip
    return BindingRecord(**(values | changes))  # type: ignore[arg-type]


def test_restored_binding_is_what_it_was(pbx: Registrations) -> None:
    pbx.location.restore([record()], pbx.now, pbx.wall)
    (binding,) = pbx.location.contacts(ALICE.aor, pbx.now)
    assert binding.record(pbx.now, pbx.wall) == record()
    assert pbx.facts == []
    assert pbx.location.next_expiry() == 1600.0


def test_restored_udp_contact_is_reached_as_before(pbx: Registrations) -> None:
    direct = record(contact="sip:1001@203.0.113.9:5070", call_id="call-2")
    pbx.location.restore([record(), direct], pbx.now, pbx.wall)
    ways = {
        binding.contact: pbx.location.target_flow(binding)
        for binding in pbx.location.contacts(ALICE.aor, pbx.now)
    }
    assert ways == {
        "sip:1001@192.168.1.5:5060": pbx.udp("203.0.113.9", 33000),
        "sip:1001@203.0.113.9:5070": pbx.udp("203.0.113.9", 5070),
    }


def test_restored_connection_is_dead_but_the_contact_may_be_connected_to(
    pbx: Registrations,
) -> None:
    hidden = record(transport="TCP", contact="sip:1001@192.168.1.5;transport=tcp")
    direct = record(transport="TCP", contact="sip:1001@203.0.113.9:5070;transport=tcp")
    pbx.location.restore([hidden, direct], pbx.now, pbx.wall)
    ways = {
        binding.contact: pbx.location.target_flow(binding)
        for binding in pbx.location.contacts(ALICE.aor, pbx.now)
    }
    assert ways[hidden.contact] is None
    target = ways[direct.contact]
    assert target is not None
    assert (target.transport, target.remote) == ("TCP", ("203.0.113.9", 5070))


def test_refresh_of_a_restored_binding_from_the_same_place_is_no_move(pbx: Registrations) -> None:
    contact = "sip:1001@10.0.0.5:5060"
    pbx.location.restore(
        [record(contact=contact, received="10.0.0.5:5060", params="", q=1.0, path=[])],
        pbx.now,
        pbx.wall,
    )
    pbx.cseq = 7
    done = pbx.register(f"<{contact}>")
    assert (done.status, done.durable) == (200, False)
    assert pbx.location.target_flow(pbx.location.contacts(ALICE.aor, pbx.now)[0]) is pbx.flow


def test_what_expired_while_the_engine_was_away_ends(pbx: Registrations) -> None:
    pbx.location.restore([record(expires_at=pbx.wall - 5)], pbx.now, pbx.wall)
    assert pbx.contacts() == []
    assert pbx.location.next_expiry() is not None
    pbx.location.expire(pbx.now, pbx.wall)
    assert pbx.take_facts() == ["-sip:1001@192.168.1.5:5060 expired"]


def test_unreadable_rows_reach_nobody_and_raise_nothing(pbx: Registrations) -> None:
    bad = record(transport="TCP", contact="junk", received="")
    pbx.location.restore([bad], pbx.now, pbx.wall)
    (binding,) = pbx.location.contacts(ALICE.aor, pbx.now)
    assert pbx.location.target_flow(binding) is None
