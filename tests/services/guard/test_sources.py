"""Which addresses count as one, which are never limited, and that nothing grows without bound."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from sipengine.services.guard import sources
from sipengine.services.guard.accounts import MAX_PAUSED, Accounts
from sipengine.services.guard.sources import (
    BURST,
    RATE,
    WINDOW,
    Allowed,
    Source,
    Sources,
    source_of,
)


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_an_ipv4_address_or_an_ipv6_link_is_one_source_rfc4291_2_5_1(
    host: str, source: str
) -> None:
    assert source_of(host) == source


@pytest.mark.parametrize(
    ("networks", "host", "covered"),
    [
        ([], "127.0.0.1", True),
        ([], "::1", True),
        ([], "127.0.0.2", False),
        (["127.0.0.0/8"], "127.0.0.2", True),
        (["192.0.2.0/24"], "192.0.2.200", True),
        (["192.0.2.0/24"], "192.0.3.1", False),
        (["2001:db8::/32"], "2001:db8:9::1", True),
        (["2001:db8:9::1/128"], "2001:db8:9::7", True),
        (["2001:db8:9::1/128"], "2001:db8:8::1", False),
        (["192.0.2.0/24"], "junk", False),
    ],
)
def test_who_is_never_limited(networks: list[str], host: str, covered: bool) -> None:
    allowed = Allowed(tuple(ip_network(text) for text in networks))
    assert allowed.covers(source_of(host)) is covered


def test_tokens_are_used_up_and_come_back() -> None:
    source = Source("192.0.2.7", False, 0.0)
    assert all(source.take(1.0, 0.0) for _ in range(int(BURST)))
    assert not source.take(1.0, 0.0)
    assert source.take(1.0, 1.0 / RATE + 0.001)
    assert not source.take(1.0, 1.0 / RATE + 0.001)
    source.give_back(1.0)
    assert source.take(1.0, 1.0 / RATE + 0.001)
    assert source.take(BURST, 1e9), "never more than the burst, however long nothing came"


def test_counts_begin_anew_after_the_window() -> None:
    table = Sources(Allowed(()))
    table.of("192.0.2.7", 0.0).wrong = 5
    assert table.of("192.0.2.7", WINDOW).wrong == 5
    assert table.of("192.0.2.7", WINDOW + 1).wrong == 0


@pytest.mark.pure
def test_a_flood_of_forged_sources_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_SOURCES", 100)
    table = Sources(Allowed(()))
    table.of("192.0.2.7", 0.0).wrong = 5
    for number in range(10_000):
        table.of(f"10.0.{number // 256}.{number % 256}", 0.0)
        if number % 50 == 0:
            assert table.of("192.0.2.7", 0.0).wrong == 5, "who is heard of stays"
    assert len(table) <= 200
    assert table.known("10.0.0.0") is None


def test_each_failure_beyond_eight_doubles_the_wait() -> None:
    accounts = Accounts()
    waits = []
    for _ in range(16):
        accounts.failed("192.0.2.7", "1001@pbx.test", 0.0)
        waits.append(accounts.wait("192.0.2.7", "1001@pbx.test", False, 0.0))
    assert waits == [0] * 8 + [2, 4, 8, 16, 32, 60, 60, 60]
    assert accounts.wait("192.0.2.7", "1002@pbx.test", False, 0.0) == 0
    assert accounts.wait("192.0.2.7", "1001@pbx.test", True, 0.0) == 0
    assert accounts.wait("192.0.2.7", "1001@pbx.test", False, 59.0) == 1
    accounts.passed("192.0.2.7", "1001@pbx.test")
    assert accounts.wait("192.0.2.7", "1001@pbx.test", False, 0.0) == 0


def test_many_addresses_that_share_the_guessing_wait_together() -> None:
    accounts = Accounts()
    for number in range(51):
        accounts.failed(f"192.0.2.{number}", "1001@pbx.test", 0.0)
    assert accounts.wait("198.51.100.1", "1001@pbx.test", True, 0.0) == 1
    assert accounts.wait("198.51.100.1", "1001@pbx.test", False, 0.0) == 0, (
        "a known phone's address"
    )
    accounts.sweep(2.0)
    assert not accounts.paused


def test_failures_are_forgotten_after_the_window() -> None:
    accounts = Accounts()
    for _ in range(9):
        accounts.failed("192.0.2.7", "1001@pbx.test", 0.0)
    accounts.failed("192.0.2.7", "1001@pbx.test", WINDOW + 1)
    assert accounts.wait("192.0.2.7", "1001@pbx.test", False, WINDOW + 1) == 0


def test_pauses_are_bounded() -> None:
    accounts = Accounts()
    for number in range(MAX_PAUSED + 500):
        for _ in range(9):
            accounts.failed("192.0.2.7", str(number), 0.0)
    assert len(accounts.paused) <= MAX_PAUSED
