"""One process decides who is shut out, all keep to it (decision 6)."""

from __future__ import annotations

import pytest

from sipengine.api import BanRecord, Fact, Pardon
from sipengine.crew.bans import HeardBans, OwnBans
from sipengine.crew.frames import Contact
from sipengine.services.guard.accounts import FREE_FAILURES
from sipengine.services.guard.followed_bans import FollowedBans
from sipengine.services.guard.guard import CONFIGURATION as BY_CONFIGURATION
from sipengine.services.guard.guard import MAX_SCANS, MAX_WRONG, TRUST, Guard
from sipengine.services.guard.sources import Allowed
from sipengine.services.this_process import ThisProcess
from sipengine.sip.flow import Flow
from tests.crew.pair import Pair
from tests.pbx.enginelink.facts import binding

EVE = "192.0.2.66"
ADDRESS = (EVE, 5060)
LOCAL = ("192.0.2.1", 5060)


class Two:
    """The guards of an owner and of a worker; the clock of both is the machine's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("sipengine.crew.bans.monotonic", lambda: self.now)
        self.facts: list[Fact] = []
        self.pair = Pair()
        process = ThisProcess(b"s" * 16, "owner", self.now, 1_800_000_000.0)
        self.owner = Guard(Allowed(()), self.facts, process, self.now)
        OwnBans(self.pair.owner, self.owner)
        worker_process = ThisProcess(b"s" * 16, "worker", self.now, 1_800_000_000.0)
        self.worker_facts: list[Fact] = []
        self.worker = Guard(
            Allowed(()),
            self.worker_facts,
            worker_process,
            self.now,
            bans=FollowedBans(worker_process),
        )
        self.heard = HeardBans(self.pair.worker, self.worker, worker_process)
        self.pair.join()

    def scan(self, guard: Guard, times: int = MAX_SCANS) -> None:
        """A known scanner over a connection: he is where he says he is."""
        for _ in range(times):
            guard.may_answer(Flow("TCP", LOCAL, ADDRESS), "friendly-scanner", self.now)
        self.pair.work()

    def blocked(self) -> tuple[bool, bool]:
        return (
            bool(self.owner.shut) and self.owner.blocks(EVE, self.now),
            bool(self.worker.shut) and self.worker.blocks(EVE, self.now),
        )

    @property
    def bans(self) -> list[BanRecord]:
        return [fact for fact in self.facts if isinstance(fact, BanRecord)]


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Two:
    return Two(monkeypatch)


def test_who_offends_a_worker_is_banned_everywhere(two: Two) -> None:
    two.scan(two.worker)
    assert two.blocked() == (True, True)
    (ban,) = two.bans
    assert (ban.source, ban.kind, ban.count) == (EVE, "scan", MAX_SCANS)
    assert not two.worker_facts
    two.now += 299
    assert two.blocked() == (True, True)
    two.now += 2
    assert two.blocked() == (False, False)


def test_who_offends_the_owner_is_shut_out_by_the_workers(two: Two) -> None:
    two.scan(two.owner)
    assert two.blocked() == (True, True)


def test_the_second_accuser_changes_nothing(two: Two) -> None:
    two.scan(two.owner)
    two.worker.bans.shut.clear()
    two.scan(two.worker)
    assert len(two.bans) == 1


def test_without_an_owner_a_worker_shuts_out_for_a_moment(two: Two) -> None:
    two.pair.part()
    two.scan(two.worker)
    assert two.blocked() == (False, True)
    two.now += 2.1
    assert two.blocked() == (False, False)


def test_who_is_pardoned_may_speak_to_all(two: Two) -> None:
    two.scan(two.worker)
    two.owner.pardon([Pardon(two.bans[0].id, "the operator")], two.now)
    two.pair.work()
    assert two.blocked() == (False, False)
    assert two.bans[-1].lifted_by == "the operator"


def test_who_becomes_a_trusted_server_may_speak_to_all(two: Two) -> None:
    two.scan(two.worker)
    for guard in (two.owner, two.worker):
        guard.set_servers([EVE], two.now)
    two.pair.work()
    assert two.blocked() == (False, False)
    assert two.bans[-1].lifted_by == BY_CONFIGURATION
    two.scan(two.worker)
    assert two.blocked() == (False, False)


def test_a_worker_that_comes_is_told_who_is_shut_out(two: Two) -> None:
    two.pair.part()
    two.scan(two.owner)
    two.worker.bans.pause("192.0.2.99", 60.0, two.now)
    two.pair.join()
    assert two.blocked() == (True, True)
    assert list(two.worker.shut) == [EVE]


def test_a_right_password_at_a_worker_speaks_for_the_address_everywhere(two: Two) -> None:
    two.worker.passed(Flow("UDP", LOCAL, ADDRESS), "1001@pbx.test", two.now)
    two.pair.work()
    two.scan(two.owner)
    two.scan(two.worker)
    assert two.blocked() == (False, False)


def test_where_a_phone_is_registered_a_worker_bans_nobody(two: Two) -> None:
    record = binding(1, received=f"{EVE}:5060", expires_at=1_800_000_100.0)
    two.heard.registered(Contact(record, 0, "", ""), None)
    for _ in range(MAX_WRONG + 1):
        two.worker.failed(Flow("UDP", LOCAL, ADDRESS), "1001@pbx.test", two.now)
    two.pair.work()
    assert two.blocked() == (False, False)
    assert not two.bans


def test_an_offence_from_where_the_owner_trusts_somebody_is_forgiven(two: Two) -> None:
    two.owner.passed(Flow("UDP", LOCAL, ADDRESS), "1001@pbx.test", two.now)
    two.scan(two.worker)
    assert not two.bans
    two.now += TRUST + 0.1
    two.scan(two.worker)
    assert two.blocked() == (True, True), "its trust ends where the owner's does"


def test_a_phone_that_is_registered_waits_for_no_guesser_at_a_worker_either(two: Two) -> None:
    guesser = Flow("UDP", LOCAL, (EVE, 40_000))
    phone = Flow("UDP", LOCAL, ADDRESS)
    record = binding(1001, received=f"{EVE}:5060", expires_at=1_800_000_100.0)
    two.heard.registered(Contact(record, 0, "", ""), phone)
    for _ in range(FREE_FAILURES + 1):
        two.worker.failed(guesser, record.aor, two.now)
    assert two.worker.must_wait(guesser, record.aor, two.now) > 0
    assert two.worker.must_wait(phone, record.aor, two.now) == 0


def test_who_registers_after_all_is_no_longer_named_by_a_worker(two: Two) -> None:
    phone = Flow("UDP", LOCAL, ADDRESS)
    record = binding(1001, received=f"{EVE}:5060", expires_at=1_800_000_100.0)
    two.worker.failed(phone, record.aor, two.now)
    assert two.worker.refused.phones(two.now)
    two.heard.registered(Contact(record, 0, "", ""), phone)
    assert not two.worker.refused.phones(two.now)


def test_a_page_that_registers_speaks_for_its_own_credential_alone(two: Two) -> None:
    phone = Flow("UDP", LOCAL, ADDRESS)
    record = binding(1001, received=f"{EVE}:5060", expires_at=1_800_000_100.0)
    two.worker.failed(phone, record.aor, two.now)
    two.heard.registered(Contact(record, 0, "a page", ""), phone)
    assert two.worker.refused.phones(two.now)
    assert not phone.account


def test_a_worker_that_accused_a_trusted_address_lets_it_in_at_once(two: Two) -> None:
    two.owner.passed(Flow("UDP", LOCAL, ADDRESS), "1001@pbx.test", two.now)
    two.scan(two.worker)
    assert two.blocked() == (False, False)
    two.scan(two.worker)
    assert two.blocked() == (False, False)
    assert not two.bans
