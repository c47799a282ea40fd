"""Who gives a wrong password or number: seen by people, and gone when it is mended."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from sipengine.api import RefusedPhone
from sipengine.services.guard.refused import MAX_OF_SOURCE, MAX_REFUSED, Refused
from sipengine.services.guard.sources import Allowed
from sipengine.services.this_process import ThisProcess
from tests.services.conftest import person
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, WALL, Wire, snapshot

HOST = "192.0.2.7"
NEAR = "198.18.0.9"


@pytest.fixture
def wire() -> Wire:
    """The guard never limits 198.18.0.0/15."""
    people = [person(number) for number in ("1001", "1002")]
    return Wire(snapshot(people), allowed=Allowed((ip_network("198.18.0.0/15"),)))


def phones_of(wire: Wire) -> list[RefusedPhone]:
    assert wire.core.guard is not None
    return wire.core.guard.refused.phones(wire.now)


@pytest.mark.parametrize("host", [HOST, NEAR])
def test_a_phone_with_a_wrong_password_is_listed_until_it_has_the_right_one(
    wire: Wire, host: str
) -> None:
    phone = Phone(wire, "1001", host, 5060, device="Desk phone 7.1")
    for _ in range(3):
        assert phone.register(password="old").status == 401
        wire.advance(20)
    (told,) = phones_of(wire)
    assert (told.account, told.source, told.device, told.count) == (
        f"1001@{DOMAIN}", host, "Desk phone 7.1", 3,
    )  # fmt: skip
    assert told.last - told.first == pytest.approx(40)
    assert told.last == pytest.approx(wire.now - 20 + WALL, abs=1)
    assert phone.register().status == 200
    assert phones_of(wire) == []


def test_a_phone_whose_password_was_right_before_is_listed_only_until_it_is_again(
    wire: Wire,
) -> None:
    """One flow all the time: somebody mistyped it and mended it."""
    phone = Phone(wire, "1001", HOST, 5060)
    assert phone.register().status == 200
    assert phone.register(password="mistyped").status == 401
    assert len(phones_of(wire)) == 1
    assert phone.register().status == 200
    assert phones_of(wire) == []


def test_a_number_that_is_not_there_is_listed(wire: Wire) -> None:
    assert Phone(wire, "1999", HOST, 5060, device="Desk").register(password="x").status == 401
    assert [phone.account for phone in phones_of(wire)] == [f"1999@{DOMAIN}"]


def test_a_phone_that_has_to_wait_is_still_seen(wire: Wire) -> None:
    assert Phone(wire, "1002", HOST, 5062).register().status == 200  # so HOST is trusted
    phone = Phone(wire, "1001", HOST, 5060, device="Desk")
    statuses = [phone.register(password="old").status for _ in range(12)]
    assert 503 in statuses
    assert phones_of(wire)[0].count == 12


def test_an_hour_after_its_last_try_a_phone_is_forgotten() -> None:
    refused = Refused(ThisProcess(b"s" * 16, "x", 0.0, WALL))
    refused.note(HOST, "a@x", "", 0.0)
    refused.note(HOST, "b@x", "", 60.0)
    assert [one.account for one in refused.phones(3630.0)] == ["b@x"]
    assert refused.phones(3700.0) == []


def test_memory_is_bounded_and_one_address_does_not_push_out_the_others() -> None:
    refused = Refused(ThisProcess(b"s" * 16, "x", 0.0, WALL))
    refused.note("192.0.2.1", "1001@x", "Desk", 0.0)
    for number in range(1000):
        refused.note(HOST, f"{number}@x", "scanner", 1.0)
    told = refused.phones(2.0)
    assert len(told) == 1 + MAX_OF_SOURCE
    assert told[-1].account == "1001@x"
    for number in range(1000):
        refused.note(f"10.0.{number // 250}.{number % 250}", "1001@x", "", 3.0)
    assert len(refused.phones(4.0)) == MAX_REFUSED


def test_only_what_can_be_shown_is_kept() -> None:
    refused = Refused(ThisProcess(b"s" * 16, "x", 0.0, WALL))
    for _ in range(2):
        refused.note(HOST, "10\x0001@x" + "y" * 500, "Desk\r\n\x1b[2J\\u0000\ud800", 0.0)
    (told,) = refused.phones(1.0)
    assert told.account.startswith("1001@xy")
    assert len(told.account) <= 100
    assert told.device == "Desk[2J\\u0000"
    assert told.count == 2
    refused.passed(HOST, "10\x0001@x" + "y" * 500)
    assert refused.phones(1.0) == []


def test_without_a_guard_they_are_listed_all_the_same() -> None:
    wire = Wire(snapshot([person("1001")]))
    assert wire.core.guard is None
    phone = Phone(wire, "1001", HOST, 5060, device="Desk phone 7.1")
    for _ in range(2):
        assert phone.register(password="old").status == 401
    (told,) = wire.core.refused.phones(wire.now)
    assert (told.account, told.source, told.count) == (f"1001@{DOMAIN}", HOST, 2)
    assert phone.register().status == 200
    assert wire.core.refused.phones(wire.now) == []
