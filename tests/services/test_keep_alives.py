"""OPTIONS to phones behind NAT (services/keep_alives.py), with a clock that is told."""

from __future__ import annotations

import pytest

from sipengine.api import Fact
from sipengine.services.binding import Binding
from sipengine.services.keep_alives import INTERVAL, MOST_A_BEAT, KeepAlives
from sipengine.services.location import Location
from sipengine.services.overload import Admission
from sipengine.services.own_addresses import OwnAddresses
from sipengine.services.own_answers import OwnAnswers
from sipengine.services.proxy.forwarding import Branches
from sipengine.services.this_process import ThisProcess
from sipengine.sip.flow import Flow
from sipengine.sip.transaction.layer import TransactionLayer
from tests.services.conftest import registered
from tests.services.phones import LOCAL, WALL, FlowsWithoutSockets
from tests.services.user_agents import Phone
from tests.services.wire import Wire


def hidden(wire: Wire, number: str = "1002", port: int = 31002) -> Phone:
    return registered(wire, number, "203.0.113.2", port, contact_host="10.0.0.2")


def unreachable(wire: Wire) -> list[bool]:
    wire.beat()
    return [record.unreachable_since is not None for record in wire.bindings.values()]


def answer_all(phone: Phone, status: int = 200) -> int:
    """Answer every OPTIONS that waits; how many there were."""
    count = 0
    while phone.inbox:
        phone.reply(phone.request("OPTIONS"), status)
        count += 1
    return count


def test_a_phone_behind_nat_is_asked_every_half_minute(wire: Wire) -> None:
    phone = hidden(wire)
    asked = 0
    for _ in range(10 * 60):
        wire.advance(1)
        asked += answer_all(phone)
    assert asked == pytest.approx(600 / INTERVAL, abs=1)
    assert unreachable(wire) == [False]
    assert wire.core.counters()["keep_alives_sent"] == asked


def test_the_request_is_one_of_rfc3261_11_1(wire: Wire) -> None:
    phone = hidden(wire)
    wire.advance(INTERVAL + 1)
    options = phone.request("OPTIONS")
    assert options.uri == phone.contact.strip("<>")
    assert options["CSeq"] == "1 OPTIONS"
    assert options["Max-Forwards"] == "70"
    assert "tag=" in options["From"]
    assert not options.to_tag
    assert len(options.all("Via")) == 1


@pytest.mark.parametrize(
    "phone",
    [
        {"host": "203.0.113.2", "port": 5060},
        {"host": "203.0.113.2", "port": 31002, "transport": "TCP", "contact_host": "10.0.0.2"},
    ],
)
def test_a_phone_at_its_own_address_or_on_a_connection_is_not(
    wire: Wire, phone: dict[str, str]
) -> None:
    other = registered(wire, "1002", **phone)  # type: ignore[arg-type]
    wire.advance(300)
    other.nothing()
    assert wire.core.counters().get("keep_alives_sent", 0) == 0


@pytest.mark.parametrize("status", [200, 404, 405, 486, 503])
def test_any_answer_is_a_sign_of_life(wire: Wire, status: int) -> None:
    phone = hidden(wire)
    for _ in range(200):
        wire.advance(1)
        answer_all(phone, status)
    assert unreachable(wire) == [False]
    assert wire.core.counters().get("stray_responses", 0) == 0
    assert wire.core.counters().get("messages_broken", 0) == 0


def test_a_phone_that_is_silent_is_marked_and_found_again(wire: Wire) -> None:
    phone = hidden(wire)
    wire.detach(phone.flow)
    wire.advance(INTERVAL + 40)
    assert unreachable(wire) == [False]  # one of them may be a router that restarts
    wire.advance(40)
    assert unreachable(wire) == [True]
    wire.attach(phone, "UDP", phone.host, phone.port)
    for _ in range(200):
        wire.advance(1)
        answer_all(phone)
    assert unreachable(wire) == [False]


def test_a_bounced_request_counts_as_silence(wire: Wire) -> None:
    phone = hidden(wire)
    wire.advance(INTERVAL + 1)
    wire.bounce(phone.flow)
    wire.bounce(phone.flow)
    assert unreachable(wire) == [True]


def test_a_marked_phone_that_registers_is_well_again(wire: Wire) -> None:
    phone = hidden(wire)
    wire.detach(phone.flow)
    wire.advance(120)
    assert unreachable(wire) == [True]
    wire.attach(phone, "UDP", phone.host, phone.port)
    phone.inbox.clear()
    assert phone.register().status == 200
    assert unreachable(wire) == [False]


def test_a_marked_phone_is_still_called(wire: Wire, alice: Phone) -> None:
    phone = hidden(wire)
    wire.detach(phone.flow)
    wire.advance(120)
    wire.attach(phone, "UDP", phone.host, phone.port)
    alice.call("1002")
    phone.incoming()


def test_a_marked_flow_is_tried_last(wire: Wire, alice: Phone) -> None:
    both = []
    for reg_id in (1, 2):
        flow = Phone(wire, "1002", "203.0.113.2", 31000 + reg_id, contact_host="10.0.0.2")
        instance = f'+sip.instance="<urn:uuid:b>";reg-id={reg_id}'
        flow.register(contact=f"<sip:1002@10.0.0.2>;{instance}", extra="Supported: outbound\n")
        both.append(flow)
        wire.advance(1)
    first, second = both
    wire.detach(second.flow)
    for _ in range(120):
        wire.advance(1)
        answer_all(first)
    assert sorted(unreachable(wire)) == [False, False, True]
    alice.call("1002")
    first.incoming()


def test_a_phone_that_has_gone_is_asked_no_more(wire: Wire) -> None:
    phone = hidden(wire)
    phone.register(expires=0)
    wire.advance(100)
    phone.nothing()
    assert wire.core.counters()["phones_behind_nat_now"] == 0


def test_a_phone_that_moves_is_asked_at_its_new_place_only(wire: Wire) -> None:
    phone = hidden(wire)
    contact = phone.contact
    wire.advance(INTERVAL + 1)
    wire.detach(phone.flow)
    phone.reconnect(31999)
    phone.inbox.clear()
    assert phone.register(contact=contact).status == 200
    asked = 0
    for _ in range(200):
        wire.advance(1)
        asked += answer_all(phone)
    assert asked == pytest.approx(200 / INTERVAL, abs=2)
    assert unreachable(wire) == [False]


def test_phones_are_asked_again_after_a_restart(wire: Wire) -> None:
    phone = hidden(wire)
    wire.restart()
    wire.advance(INTERVAL + 1)
    phone.request("OPTIONS")


def test_a_mark_outlives_a_restart(wire: Wire) -> None:
    phone = hidden(wire)
    wire.detach(phone.flow)
    wire.advance(120)
    wire.restart()
    assert unreachable(wire) == [True]


def asked_a_second(phones: int, seconds: int) -> list[int]:
    """How many are asked in each second when so many phones are there."""
    facts: list[Fact] = []
    layer = TransactionLayer()
    location = Location(FlowsWithoutSockets(), facts)
    answers = OwnAnswers(layer.out, "t-", Admission())
    keeper = KeepAlives(
        layer,
        location,
        Branches("i", OwnAddresses(LOCAL)),
        answers,
        "u",
        ThisProcess(b"s" * 16, "x", 0.0, WALL),
    )
    location.connect(keeper=keeper)
    for number in range(phones):
        binding = Binding(f"{number}@a", f"sip:{number}@10.0.0.9:5060", "", 1.0, "", 0, WALL)
        location.came_by(binding, Flow("UDP", LOCAL, ("203.0.113.1", 1024 + number)))
        binding.expires = 9999.0
        location.add(binding, 0.0, WALL)
        location.arrived(binding, None, 0.0)
    counts = []
    for second in range(1, seconds + 1):
        layer.timers.expire(float(second))
        counts.append(sum(1 for _, data in layer.out if data.startswith(b"OPTIONS")))
        layer.out.clear()
        for client in list(layer.clients.values()):
            client.receive(200, b"", float(second))
    return counts


def test_many_phones_are_spread_over_time_and_bounded() -> None:
    per_second = asked_a_second(20 * int(INTERVAL), seconds=60)
    assert max(per_second) <= 21
    assert sum(per_second[-int(INTERVAL) :]) == pytest.approx(20 * INTERVAL, rel=0.05)
    assert max(asked_a_second(12_500, seconds=3)) == MOST_A_BEAT
