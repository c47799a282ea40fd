"""The guard in the whole core: who is banned, who never, and what a forger can do."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from sipengine.api import BanRecord, Fact, Pardon
from sipengine.services.guard import guard as guard_module
from sipengine.services.guard.guard import Guard
from sipengine.services.guard.sources import BURST, Allowed
from sipengine.services.this_process import ThisProcess
from sipengine.sip.flow import Flow
from tests.services.conftest import person
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire, snapshot

EVE = "203.0.113.66"


@pytest.fixture
def wire() -> Wire:
    people = [person(number) for number in ("1001", "1002", "1003", "1004")]
    return Wire(snapshot(people), allowed=Allowed((ip_network("198.18.0.0/15"),)))


def ban_of(wire: Wire) -> BanRecord:
    wire.beat()
    assert len(wire.bans) == 1, wire.bans
    return next(iter(wire.bans.values()))


def guess(wire: Wire, number: str, host: str = EVE, **more: Any) -> int:
    """One REGISTER with a wrong password; the status of the answer, 0 for silence."""
    phone = Phone(wire, number, host, 5060, device="Desk phone", **more)
    try:
        return phone.register(password="wrong").status
    except AssertionError:
        return 0


def ask(wire: Wire, host: str = EVE, **more: Any) -> Phone:
    phone = Phone(wire, "999", host, 5060, transport=more.pop("transport", "UDP"))
    phone.other_request("OPTIONS", f"sip:{DOMAIN}", **more)
    return phone


# ---------------------------------------------------------------------- passwords


def test_twenty_wrong_passwords_for_one_account_are_a_ban(wire: Wire) -> None:
    statuses = []
    for _ in range(20):
        statuses.append(guess(wire, "1001"))
        wire.advance(9.5)
    assert statuses == [401] * 19 + [0]
    record = ban_of(wire)
    assert (record.source, record.kind, record.count, record.level) == (EVE, "passwords", 20, 1)
    assert record.reason == "20 wrong passwords for 1001 in 3 minutes"


def test_a_phone_that_tries_an_old_password_each_minute_is_not_banned(wire: Wire) -> None:
    for _ in range(60):
        assert guess(wire, "1001") == 401
        wire.advance(60.0)
    wire.beat()
    assert not wire.bans


def test_guessing_at_many_accounts_is_a_ban_earlier_whether_they_exist_or_not(wire: Wire) -> None:
    answers = [guess(wire, number) for number in ["1001", "1002", "777", "778"] * 3]
    assert answers == [401] * 9 + [0] * 3
    record = ban_of(wire)
    assert record.reason == "10 wrong passwords for 1001, 1002, 777, 778 in 1 second"
    ask(wire).nothing()
    assert wire.core.counters()["guard_dropped"] >= 3


def test_a_registered_address_is_never_banned_and_other_accounts_go_on(wire: Wire) -> None:
    """An office behind NAT: one phone has a wrong password, and tries and tries."""
    good = Phone(wire, "1002", EVE, 5070)
    assert good.register().status == 200
    answers = {guess(wire, "1001") for _ in range(60)}
    assert answers == {401, 503}
    assert good.register().status == 200
    assert Phone(wire, "1003", EVE, 5080).register().status == 200
    wire.beat()
    assert not wire.bans


def test_the_phone_of_the_account_itself_goes_on_while_others_guess_at_it(wire: Wire) -> None:
    good = Phone(wire, "1001", EVE, 5070)
    assert good.register().status == 200
    assert {guess(wire, "1001") for _ in range(60)} == {401, 503}
    assert good.register().status == 200, "on its own flow it does not wait"


def test_the_right_password_is_taken_when_the_wait_is_over(wire: Wire) -> None:
    Phone(wire, "1002", EVE, 5070).register()
    while guess(wire, "1001") != 503:
        pass
    phone = Phone(wire, "1001", EVE, 5071)
    answer = phone.register()
    assert answer.status == 503
    assert 10 <= int(answer["Retry-After"]) <= 30
    wire.advance(61.0)
    assert phone.register().status == 200


def test_guesses_with_a_nonce_of_another_source_or_of_nobody_prove_nothing(wire: Wire) -> None:
    """A forger cannot have a phone banned: he does not see the nonces that are sent to it."""
    eve = Phone(wire, "1001", EVE)
    eve.other_request("REGISTER", f"sip:{DOMAIN}")
    nonce = eve.response(401)["WWW-Authenticate"].partition('nonce="')[2].partition('"')[0]
    victim = Phone(wire, "1001", "198.51.100.9")
    for forged in [nonce, "0" * 40, nonce[:24] + "00000000" + "1"] * 20:
        victim.other_request(
            "REGISTER",
            f"sip:{DOMAIN}",
            extra=f'Authorization: Digest username="1001", realm="{DOMAIN}", nonce="{forged}", '
            f'uri="sip:{DOMAIN}", response="{"0" * 32}"\n',
        )
        assert "stale=true" in victim.response(401)["WWW-Authenticate"]
    wire.beat()
    assert not wire.bans
    assert wire.core.counters()["guard_wrong_passwords"] == 0


# ---------------------------------------------------------------------- scans and rubbish


@pytest.mark.parametrize(
    "agent", ["friendly-scanner", "sipcli/v1.8", "VaxSIPUserAgent/3.1", "SIPVicious"]
)
@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "INVITE"])
def test_scanners_are_not_answered_and_over_udp_not_banned(
    wire: Wire, agent: str, method: str
) -> None:
    uri = f"sip:{DOMAIN}" if method != "INVITE" else f"sip:1001@{DOMAIN}"
    phone = Phone(wire, "999", EVE)
    for _ in range(20):
        phone.other_request(method, uri, extra=f"User-Agent: {agent}\n")
    phone.nothing()
    wire.beat()
    assert not wire.bans, "the address may be forged"


def test_over_a_connection_a_scanner_is_banned(wire: Wire) -> None:
    phone = Phone(wire, "999", EVE, transport="TCP")
    for _ in range(10):
        phone.other_request("OPTIONS", f"sip:{DOMAIN}", extra="User-Agent: friendly-scanner\n")
    assert ban_of(wire).reason == "10 requests as only scanners send them in 1 second"


def test_unknown_methods_over_a_connection_are_a_ban(wire: Wire) -> None:
    phone = Phone(wire, "999", EVE, transport="TCP")
    for _ in range(10):
        phone.other_request("ENUMERATE", f"sip:{DOMAIN}")
    assert [message.status for message in phone.inbox] == [501] * 9
    assert ban_of(wire).kind == "scan"


def test_rubbish_over_a_connection_is_a_ban(wire: Wire) -> None:
    phone = Phone(wire, "999", EVE, transport="TCP")
    for _ in range(60):
        phone.send(b"INVITE \r\n\r\n")
    record = ban_of(wire)
    assert record.reason == "60 messages that no telephone would send in 1 second"


def test_a_stream_that_is_no_sip_counts_as_rubbish(wire: Wire) -> None:
    guard = wire.core.guard
    assert guard is not None
    for _ in range(60):
        guard.bad_stream(EVE, wire.now)
    assert ban_of(wire).kind == "broken"


# ---------------------------------------------------------------------- floods


def test_a_flood_over_udp_is_paused_but_never_banned(wire: Wire) -> None:
    answered = 0
    for second in range(30):
        for _ in range(600):
            phone = ask(wire)
            answered += len(phone.inbox)
        if second == 0:
            assert answered == BURST
        wire.advance(1.0)
        assert wire.core.guard is not None
        wire.core.guard.sweep(wire.now)
    assert answered < BURST + 30 * 60
    wire.beat()
    assert not wire.bans
    wire.advance(3.0)
    assert ask(wire).response(200), "it is listened to again"


def test_a_flood_over_a_connection_is_a_ban(wire: Wire) -> None:
    for _ in range(3):
        for _ in range(700):
            ask(wire, transport="TCP")
        wire.advance(2.5)
        assert wire.core.guard is not None
        wire.core.guard.sweep(wire.now)
    assert ban_of(wire).kind == "flood"


def test_a_flood_from_the_address_of_a_phone_leaves_the_phone_alone(wire: Wire) -> None:
    """Forged or not: what it sends with its password, and its calls, are taken as ever."""
    alice = Phone(wire, "1001", EVE, 5070)
    bob = Phone(wire, "1002", "198.51.100.2")
    alice.register(), bob.register()
    for _ in range(2000):
        ask(wire)
    assert not wire.core.guard.shut  # type: ignore[union-attr]
    call = alice.invite("1002")
    alice.nothing()  # a request without credentials is a stranger's
    wire.advance(1.0)  # it sends it again
    call.send()
    call.authenticate()
    bob.incoming().answer()
    assert alice.inbox[-1].status == 200


def test_an_office_of_phones_that_come_back_at_once_is_not_slowed(wire: Wire) -> None:
    people = [person(str(2000 + n)) for n in range(1500)]
    wire = Wire(snapshot(people), allowed=Allowed(()))
    for n in range(1500):
        assert Phone(wire, str(2000 + n), EVE, 6000 + n).register().status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "198.18.5.5"])
def test_allowed_networks_are_never_limited(wire: Wire, host: str) -> None:
    assert {guess(wire, "1001", host) for _ in range(60)} == {401}
    for _ in range(1500):
        assert ask(wire, host).response(200)
    phone = Phone(wire, "999", host, transport="TCP")
    for _ in range(100):
        phone.send(b"INVITE \r\n\r\n")
    wire.beat()
    assert not wire.bans


def test_a_trusted_server_is_never_limited_and_let_in_if_it_was_banned(wire: Wire) -> None:
    banned(wire)
    ask(wire).nothing()
    domains = {DOMAIN: replace(wire.config.domains[DOMAIN], trusted=(EVE,))}
    wire.core.set_config(replace(wire.config, domains=domains), wire.now)
    assert {guess(wire, "1001") for _ in range(60)} == {401}
    for _ in range(1500):
        assert ask(wire).response(200)
    wire.core.set_config(wire.config, wire.now)
    assert 0 in {guess(wire, "1001") for _ in range(30)}


def test_the_ban_of_who_is_trusted_now_is_lifted_in_the_list_of_bans(wire: Wire) -> None:
    record = banned(wire)
    domains = {DOMAIN: replace(wire.config.domains[DOMAIN], trusted=(EVE,))}
    wire.core.set_config(replace(wire.config, domains=domains), wire.now)
    wire.beat()
    lifted = wire.bans[record.id]
    assert (lifted.lifted_by, lifted.revision > record.revision) == ("the configuration", True)
    assert lifted.lifted_at is not None


@pytest.mark.parametrize("exempt", ["a trusted server", "an allowed network"])
def test_a_ban_does_not_come_back_at_a_start_that_exempts_its_source(exempt: str) -> None:
    process = ThisProcess(b"s" * 16, "x", 0.0, 1_800_000_000.0)
    facts: list[Fact] = []
    before = Guard(Allowed(()), facts, process, 0.0)
    before.bans.ban(EVE, "scan", "10 requests as only scanners send them", 10, 0.0)
    records = [fact for fact in facts if isinstance(fact, BanRecord)]
    assert before.blocks(EVE, 1.0)

    networks = (ip_network("203.0.113.0/24"),) if exempt == "an allowed network" else ()
    after = Guard(Allowed(networks), facts, process, 2.0)
    if not networks:
        after.set_servers([EVE], 2.0)  # the configuration is there before what is restored
    list(after.restore(records, (), 2.0))
    assert not after.blocks(EVE, 3.0)
    last = facts[-1]
    assert isinstance(last, BanRecord)
    assert (last.id, last.lifted_by) == (records[0].id, "the configuration")


# ---------------------------------------------------------------------- time and people


def banned(wire: Wire) -> BanRecord:
    for number in ["1001", "1002", "777"] * 4:
        guess(wire, number)
    return ban_of(wire)


def test_a_ban_ends_and_the_next_is_longer(wire: Wire) -> None:
    first = banned(wire)
    wire.advance(299.0)
    ask(wire).nothing()
    wire.advance(1.0)
    wire.core.guard.sweep(wire.now)  # type: ignore[union-attr]
    assert ask(wire).response(200)
    assert first.level == 1
    for number in ["1001", "1002", "777"] * 4:
        guess(wire, number)
    assert sorted(record.level for record in wire.bans.values()) == [1, 2]


def test_a_pardon_in_the_configuration_lets_in_at_once(wire: Wire) -> None:
    record = banned(wire)
    wire.core.set_config(replace(wire.config, pardons=(Pardon(record.id, "alice"),)), wire.now)
    assert ask(wire).response(200)
    wire.beat()
    assert wire.bans[record.id].lifted_by == "alice"


def test_a_restart_keeps_bans_and_trust(wire: Wire) -> None:
    good = Phone(wire, "1002", "198.51.100.2")
    good.register()
    banned(wire)
    wire.restart()
    ask(wire).nothing()
    assert {guess(wire, "1001", "198.51.100.2") for _ in range(40)} == {401, 503}
    wire.beat()
    assert len(wire.bans) == 1


def test_facts_that_the_journal_refused_are_told_again(wire: Wire) -> None:
    for number in ["1001", "1002", "777"] * 4:
        guess_without_beat(wire, number)
    facts, _ = wire.core.take_facts()
    assert any(isinstance(fact, BanRecord) for fact in facts)
    wire.core.facts_lost()
    assert ban_of(wire).source == EVE


def guess_without_beat(wire: Wire, number: str) -> None:
    beat = wire.beat
    wire.beat = list
    try:
        guess(wire, number)
    finally:
        wire.beat = beat


@pytest.mark.pure
def test_trust_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit those go that proved themselves longest ago."""
    monkeypatch.setattr(guard_module, "MAX_TRUSTED", 1024)
    guard = Guard(Allowed(()), [], ThisProcess(b"s" * 16, "x", 0.0, 0.0), 0.0)
    for number in range(1024 + 10):
        flow = Flow("UDP", ("192.0.2.1", 5060), (f"10.0.{number >> 8}.{number & 255}", 1))
        guard.passed(flow, "1001@pbx.test", 0.0)
        assert len(guard._trusted) <= 1024
    assert len(guard._trusted) > 1000
    assert f"10.0.{number >> 8}.{number & 255}" in guard._trusted
    assert "10.0.0.1" not in guard._trusted
