"""Bans: longer each time, facts for the journal, lifted by people, kept over restarts."""

from __future__ import annotations

import pytest

from sipengine.api import BanRecord, Fact, Pardon
from sipengine.services.guard import bans as module
from sipengine.services.guard.bans import REMEMBERED, Bans
from sipengine.services.this_process import ThisProcess

WALL = 1_800_000_000.0
A = "192.0.2.7"


class Book:
    """A table of bans with its facts."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.bans = Bans(self.facts, ThisProcess(b"s" * 16, "x", 0.0, WALL), "process")

    def ban(self, source: str = A, now: float = 0.0) -> BanRecord:
        self.bans.ban(source, "scan", "10 requests as only scanners send them", 10, now)
        return self.last

    @property
    def last(self) -> BanRecord:
        fact = self.facts[-1]
        assert isinstance(fact, BanRecord)
        return fact


def test_each_ban_is_longer_until_a_week_has_passed() -> None:
    book = Book()
    lengths, now = [], 0.0
    for _ in range(4):
        record = book.ban(now=now)
        lengths.append((record.level, record.until - record.since))
        now = record.until - WALL + 1
    assert lengths == [(1, 300), (2, 3600), (3, 86_400), (3, 86_400)]
    assert book.ban(now=now + REMEMBERED).level == 1


def test_a_ban_ends_by_itself_and_tells_how_much_it_kept_out() -> None:
    book = Book()
    book.ban()
    book.bans.shut[A].dropped = 70
    book.bans.sweep(299.0)
    assert A in book.bans.shut
    assert (book.last.dropped, book.last.revision) == (70, 2)
    book.bans.shut[A].dropped = 90
    book.bans.sweep(300.0)
    assert not book.bans.shut
    assert (book.last.dropped, book.last.revision) == (90, 3)
    before = len(book.facts)
    book.bans.sweep(400.0)
    assert len(book.facts) == before


def test_a_pause_is_no_fact_and_never_shortens_a_ban() -> None:
    book = Book()
    book.bans.pause(A, 2.0, 0.0)
    assert book.facts == []
    book.ban()
    book.bans.pause(A, 2.0, 1.0)
    assert book.bans.shut[A].until == 300.0


def test_a_pardon_lifts_its_ban_once_and_forgives() -> None:
    book = Book()
    record = book.ban()
    assert book.bans.pardon([Pardon("another", "alice")], WALL + 5) == []
    assert book.bans.pardon([Pardon(record.id, "alice")], WALL + 5) == [A]
    assert (book.last.id, book.last.lifted_at, book.last.lifted_by) == (
        record.id,
        WALL + 5,
        "alice",
    )
    assert not book.bans.shut
    again = book.ban(now=10.0)
    assert (again.level, again.id != record.id) == (1, True)
    assert book.bans.pardon([Pardon(record.id, "alice")], WALL + 11) == [], "that one was followed"


def test_a_restart_keeps_bans_levels_and_pardons() -> None:
    book = Book()
    kept, lifted = book.ban(), book.ban("192.0.2.8")
    other = Book()
    other.bans.pardon([Pardon(lifted.id, "alice")], WALL + 5)
    other.bans.restore([lifted, kept], 100.0)
    assert list(other.bans.shut) == [A]
    assert other.bans.shut[A].until == 300.0
    assert other.last.lifted_by == "alice"
    other.bans.sweep(301.0)
    assert other.ban(now=302.0).level == 2


def test_what_was_copied_for_the_journal_does_not_change_later() -> None:
    book = Book()
    first = book.ban()
    book.bans.shut[A].dropped = 1
    book.bans.sweep(10.0)
    assert (first.revision, first.dropped) == (1, 0)


@pytest.mark.pure
def test_the_table_is_bounded_and_bans_matter_more_than_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_SHUT", 10)
    book = Book()
    for number in range(30):
        book.ban(f"192.0.2.{number}")
        book.bans.pause(f"198.51.100.{number}", 2.0, 0.0)
    assert len(book.bans.shut) == 10
    assert "192.0.2.29" in book.bans.shut
