"""Client-initiated connections (RFC 5626): several flows of one phone, one at a time."""

from __future__ import annotations

import pytest

from tests.services.conftest import World, registered
from tests.services.phones import Registrations
from tests.services.user_agents import Phone
from tests.services.wire import Wire

UUID = "urn:uuid:00000000-0000-1000-8000-000a95a0e128"
INSTANCE = f'+sip.instance="<{UUID}>"'
CONTACT = "<sip:1001@10.0.0.5:5060>"
OUTBOUND = ("Supported: path, outbound",)


@pytest.fixture
def pbx() -> Registrations:
    return Registrations()


def flows(pbx: Registrations) -> list[tuple[str, int]]:
    found = pbx.location.contacts("1001@pbx.test", pbx.now)
    return sorted((binding.contact, binding.reg_id) for binding in found)


# ---------------------------------------------------------------------- the registrar


def test_rfc5626_6_a_flow_is_acknowledged_with_require_outbound(pbx: Registrations) -> None:
    done = pbx.register(f"{CONTACT};{INSTANCE};reg-id=1", headers=OUTBOUND)
    assert done.lines == [
        f"Contact: {CONTACT};{INSTANCE};reg-id=1;expires=3600",
        "Require: outbound",
    ]


def test_rfc5626_5_4_a_phone_on_a_connection_is_told_how_often_to_speak(
    pbx: Registrations,
) -> None:
    done = pbx.register(f"{CONTACT};{INSTANCE};reg-id=1", headers=OUTBOUND, flow=pbx.tcp())
    assert "Flow-Timer: 120" in done.lines


def test_rfc5626_6_a_phone_that_does_not_name_outbound_hears_nothing_of_it(
    pbx: Registrations,
) -> None:
    done = pbx.register(f"{CONTACT};{INSTANCE};reg-id=1")
    assert not any(line.startswith(("Require", "Flow-Timer")) for line in done.lines)


def test_rfc5626_6_several_flows_of_one_instance_stand_beside_each_other(
    pbx: Registrations,
) -> None:
    """Also with one and the same contact, which behind NAT they mostly have."""
    for reg_id, port in ((1, 31001), (2, 31002)):
        flow = pbx.udp("203.0.113.9", port)
        pbx.register(f"{CONTACT};{INSTANCE};reg-id={reg_id}", headers=OUTBOUND, flow=flow)
    uri = CONTACT.strip("<>")
    assert flows(pbx) == [(uri, 1), (uri, 2)]


def test_rfc5626_6_the_same_reg_id_replaces_and_the_others_stay(pbx: Registrations) -> None:
    for reg_id in (1, 2):
        pbx.register(
            f"<sip:1001@10.0.0.5:506{reg_id}>;{INSTANCE};reg-id={reg_id}", headers=OUTBOUND
        )
    pbx.take_facts()
    pbx.register(f"<sip:1001@10.9.9.9:7000>;{INSTANCE};reg-id=1", headers=OUTBOUND)
    assert flows(pbx) == [("sip:1001@10.0.0.5:5062", 2), ("sip:1001@10.9.9.9:7000", 1)]
    assert pbx.take_facts() == ["-sip:1001@10.0.0.5:5061 replaced", "+sip:1001@10.9.9.9:7000"]


def test_rfc5626_6_two_phones_with_the_same_private_contact_are_two(pbx: Registrations) -> None:
    other = INSTANCE.replace("e128", "e129")
    pbx.register(f"{CONTACT};{INSTANCE}", flow=pbx.udp("203.0.113.9", 1))
    pbx.register(f"{CONTACT};{other}", flow=pbx.udp("203.0.113.8", 1), call_id="c2")
    assert len(flows(pbx)) == 2
    pbx.register(f"{CONTACT};{other};expires=0", call_id="c2")
    (left,) = pbx.location.contacts("1001@pbx.test", pbx.now)
    assert left.instance == f"<{UUID}>"


def test_rfc5626_6_a_flow_is_removed_by_its_reg_id(pbx: Registrations) -> None:
    for reg_id in (1, 2):
        pbx.register(f"{CONTACT};{INSTANCE};reg-id={reg_id}", headers=OUTBOUND)
    pbx.register(f"{CONTACT};{INSTANCE};reg-id=1", expires=0, headers=OUTBOUND)
    assert flows(pbx) == [(CONTACT.strip("<>"), 2)]


def test_rfc5626_6_more_than_one_reg_id_in_a_request_is_400(pbx: Registrations) -> None:
    both = [f"<sip:1001@10.0.0.5:{n}>;{INSTANCE};reg-id={n}" for n in (1, 2)]
    assert pbx.register(*both, headers=OUTBOUND).status == 400
    assert flows(pbx) == []


def test_rfc5626_6_reg_id_without_instance_means_nothing(pbx: Registrations) -> None:
    pbx.register(f"{CONTACT};reg-id=1", headers=OUTBOUND)
    pbx.register("<sip:1001@10.0.0.5:5070>;reg-id=1", headers=OUTBOUND)
    assert [reg_id for _, reg_id in flows(pbx)] == [0, 0]


def behind_proxy(*headers: str) -> tuple[str, ...]:
    return ("Via: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKedge", *headers)


def test_rfc5626_6_first_hop_without_outbound_is_439(pbx: Registrations) -> None:
    lines = behind_proxy("Supported: outbound", "Path: <sip:edge.test;lr>")
    done = pbx.register(f"{CONTACT};{INSTANCE};reg-id=1", headers=lines)
    assert (done.status, done.reason) == (439, "First Hop Lacks Outbound Support")
    assert flows(pbx) == []


def test_rfc5626_6_a_phone_without_outbound_behind_such_a_hop_is_registered_without_flow(
    pbx: Registrations,
) -> None:
    done = pbx.register(f"{CONTACT};{INSTANCE};reg-id=1", headers=behind_proxy())
    assert done.status == 200
    assert [reg_id for _, reg_id in flows(pbx)] == [0]


def test_rfc5626_6_an_edge_that_says_ob_keeps_the_flow(pbx: Registrations) -> None:
    lines = behind_proxy("Supported: outbound, path", "Path: <sip:token@edge.test;lr;ob>")
    done = pbx.register(f"{CONTACT};{INSTANCE};reg-id=1", headers=lines, flow=pbx.tcp())
    assert done.status == 200
    assert "Require: outbound" in done.lines
    assert not any("Flow-Timer" in line for line in done.lines)  # that is for the edge to say
    assert "Path: <sip:token@edge.test;lr;ob>" in done.lines


def test_a_phone_that_begins_to_use_outbound_is_the_same_phone(pbx: Registrations) -> None:
    pbx.register(CONTACT)
    pbx.register(f"{CONTACT};{INSTANCE}")
    assert flows(pbx) == [(CONTACT.strip("<>"), 0)]
    pbx.register(f"{CONTACT};{INSTANCE};reg-id=1", headers=OUTBOUND)
    assert flows(pbx) == [(CONTACT.strip("<>"), 1)]


def test_one_contact_twice_in_a_request_with_and_without_instance(pbx: Registrations) -> None:
    uri = CONTACT.strip("<>")
    pbx.register(CONTACT)
    pbx.register(f"{CONTACT};{INSTANCE};reg-id=1", CONTACT)
    assert flows(pbx) == [(uri, 0), (uri, 1)]
    pbx.register(f"{CONTACT};{INSTANCE};reg-id=1", CONTACT, expires=0)
    assert flows(pbx) == []


def test_an_instance_too_long_for_the_database_is_400(pbx: Registrations) -> None:
    assert pbx.register(f'{CONTACT};+sip.instance="<{"x" * 200}>"').status == 400


# ---------------------------------------------------------------------- calls


def flow_of_bob(wire: Wire, reg_id: int, *, transport: str = "TCP") -> Phone:
    """Another flow of the same phone."""
    phone = Phone(
        wire, "1002", "203.0.113.2", 31000 + reg_id, transport=transport, contact_host="10.0.0.2"
    )
    contact = f"<sip:1002@10.0.0.2:5060;transport={transport.lower()}>;{INSTANCE};reg-id={reg_id}"
    answer = phone.register(contact=contact, extra="Supported: outbound\n")
    assert answer["Require"] == "outbound"
    wire.advance(1)  # the newest comes first
    return phone


def test_rfc5626_7_a_call_takes_one_flow_of_a_phone(wire: Wire, alice: Phone) -> None:
    first, second = flow_of_bob(wire, 1), flow_of_bob(wire, 2)
    call = alice.call("1002")
    second.incoming().answer()
    call.answered()
    first.nothing()


@pytest.mark.parametrize("status", [430])
def test_rfc5626_7_the_next_flow_is_tried_after_430(wire: Wire, alice: Phone, status: int) -> None:
    first, second = flow_of_bob(wire, 1), flow_of_bob(wire, 2)
    call = alice.call("1002")
    second.incoming().reject(status, "Flow Failed")
    first.incoming().answer()
    call.answered()


def test_rfc5626_7_the_next_flow_is_tried_when_the_connection_breaks(
    wire: Wire, alice: Phone
) -> None:
    first, second = flow_of_bob(wire, 1), flow_of_bob(wire, 2)
    call = alice.call("1002")
    second.request("INVITE")
    wire.drop_connection(second.flow)
    first.incoming().answer()
    call.answered()


def test_rfc5626_7_the_next_flow_is_tried_when_nothing_is_heard(wire: Wire, alice: Phone) -> None:
    first = flow_of_bob(wire, 1, transport="UDP")
    second = flow_of_bob(wire, 2, transport="UDP")
    wire.detach(second.flow)
    call = alice.call("1002")
    wire.advance(3.9)
    first.nothing()
    wire.advance(0.2)
    first.incoming().ring()
    call.rings()


def test_rfc5626_7_a_phone_that_rings_is_left_alone(wire: Wire, alice: Phone) -> None:
    first, second = flow_of_bob(wire, 1), flow_of_bob(wire, 2)
    call = alice.call("1002")
    second.incoming().ring()
    call.rings()
    wire.advance(15)
    first.nothing()


def test_rfc5626_7_a_phone_that_is_busy_on_one_flow_is_busy(wire: Wire, alice: Phone) -> None:
    first, second = flow_of_bob(wire, 1), flow_of_bob(wire, 2)
    call = alice.call("1002")
    second.incoming().reject(486)
    call.fails(486)
    first.nothing()


def test_rfc5626_5_3_when_all_flows_have_failed_the_caller_hears_480(
    wire: Wire, alice: Phone
) -> None:
    first, second = flow_of_bob(wire, 1), flow_of_bob(wire, 2)
    call = alice.call("1002")
    second.incoming().reject(430)
    first.incoming().reject(430)
    call.fails(480)


def test_rfc5626_7_other_phones_of_the_user_ring_beside(world: World) -> None:
    wire = world()
    alice = registered(wire, "1001", "198.51.100.1")
    first, second = flow_of_bob(wire, 1), flow_of_bob(wire, 2)
    desk = registered(wire, "1002", "198.51.100.2")
    alice.call("1002")
    desk.incoming()
    second.incoming()
    first.nothing()


def test_rfc5626_7_the_next_flow_is_tried_for_other_requests(wire: Wire, alice: Phone) -> None:
    first, second = flow_of_bob(wire, 1), flow_of_bob(wire, 2)
    alice.authenticated("MESSAGE", "sip:1002@pbx.test")
    second.reply(second.request("MESSAGE"), 430)
    first.reply(first.request("MESSAGE"), 200)
    alice.response(200)
    alice.authenticated("MESSAGE", "sip:1002@pbx.test")
    second.request("MESSAGE")
    wire.drop_connection(second.flow)
    first.reply(first.request("MESSAGE"), 200)
    alice.response(200)
    alice.nothing()


def test_rfc5626_6_flows_outlive_a_restart(wire: Wire, alice: Phone) -> None:
    flow_of_bob(wire, 1, transport="UDP")
    flow_of_bob(wire, 2, transport="UDP")
    wire.restart()
    records = {(r.contact, r.reg_id) for r in wire.core.take_facts()[0]}  # type: ignore[union-attr]
    assert records == set()
    assert wire.core.counters()["bindings_now"] == 3
