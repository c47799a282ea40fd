"""The beat of facts: nothing is acknowledged before it is on disk, and what the disk refuses is told."""

from __future__ import annotations

import errno
import time

from sipengine.journal import JournalFull
from tests.net.served import MemoryJournal, Served
from tests.support.wait import until


def test_an_answer_waits_for_its_fact_to_be_written() -> None:
    journal = MemoryJournal()
    journal.gate.clear()
    with Served(journal=journal) as served, served.udp() as phone:
        phone.send(b"FACT 1")
        phone.send(b"OPTIONS")
        assert phone.recv(100) == b"OPTIONS"  # the loop is free meanwhile
        assert journal.writes == []
        journal.gate.set()
        assert phone.recv(100) == b"durable FACT 1"
        assert len(journal.writes) == 1
        until(lambda: served.written == 1, "word of the commit")


def test_facts_that_come_during_a_commit_share_the_next_one() -> None:
    journal = MemoryJournal()
    journal.gate.clear()
    with Served(journal=journal) as served, served.udp() as phone:
        phone.send(b"FACT 0")
        until(lambda: served.facts.facts == 1, "the first commit")
        for n in range(1, 50):
            phone.send(b"FACT %d" % n)
        until(lambda: len(served.core.received) == 50, "all messages")
        journal.gate.set()
        assert [phone.recv(100) for _ in range(50)] == [b"durable FACT %d" % n for n in range(50)]
        assert [len(lines) for lines in journal.writes] == [1, 49]


def test_an_answer_without_a_fact_is_not_kept_back_for_ever() -> None:
    """As to a phone that takes back a contact it has not got: there is nothing to write."""
    with Served() as served, served.udp() as phone:
        phone.send(b"HELD 1")
        assert phone.recv(100) == b"HELD 1"
        assert served.call(served.facts.counters)["journal_commits"] == 0


def test_commits_are_a_beat_apart() -> None:
    with Served() as served, served.udp() as phone:
        begun = time.monotonic()
        for n in range(10):
            phone.send(b"FACT %d" % n)
            assert phone.recv(100) == b"durable FACT %d" % n
        assert time.monotonic() - begun >= 9 * 0.011
        assert served.call(served.facts.counters)["journal_commits"] == 10


def test_a_full_disk_refuses_and_the_next_commit_is_tried_again() -> None:
    journal = MemoryJournal()
    with Served(journal=journal) as served, served.udp() as phone:
        for fault in (
            OSError(errno.ENOSPC, "No space left on device"),
            JournalFull("The journal holds too much."),
        ):
            journal.fault = fault
            phone.send(b"FACT 1")
            assert phone.recv(100) == b"lost durable FACT 1"
        assert served.refusals == [
            "[Errno 28] No space left on device",
            "The journal holds too much.",
        ]
        assert served.call(served.facts.counters)["journal_refuses_now"] == 1
        journal.fault = None
        phone.send(b"FACT 2")
        assert phone.recv(100) == b"durable FACT 2"
        assert served.call(served.facts.counters) == {
            "journal_commits": 1,
            "journal_facts": 3,
            "journal_facts_lost": 2,
            "journal_refuses_now": 0,
        }


def test_finishing_writes_what_is_still_waiting() -> None:
    journal = MemoryJournal()
    with Served(journal=journal) as served, served.udp() as phone:
        phone.send(b"FACT 1")
        phone.recv(100)
        phone.send(b"FACT 2")  # within the beat of the first: it waits
        until(lambda: len(served.core.received) == 2, "the message")
    assert sum(len(lines) for lines in journal.writes) == 2


def test_the_end_of_a_call_is_written_before_its_answer_goes_out() -> None:
    journal = MemoryJournal()
    with Served(journal=journal) as served, served.udp() as phone:
        phone.send(b"CALL ENDS")
        assert phone.recv(100) == b"CALL ENDS"
        assert len(journal.writes) == 1
        until(lambda: journal.syncs == 1, "the flush that follows within a second")


def test_other_steps_of_calls_share_a_write_without_waiting_for_the_disk() -> None:
    journal = MemoryJournal()
    with Served(journal=journal) as served, served.udp() as phone:
        for n in range(20):
            phone.send(b"CALL %d" % n)
            assert phone.recv(100) == b"CALL %d" % n
        until(lambda: sum(map(len, journal.writes)) == 20, "all twenty in the journal")
        assert len(journal.writes) < 20
        assert journal.synced_writes == 0


def test_the_other_steps_stay_for_the_beat_while_calls_end() -> None:
    with Served(journal=MemoryJournal()) as served, served.udp() as phone:
        for message in (b"CALL ENDS", b"CALL ENDS", b"CALL rings"):
            phone.send(message)
            assert phone.recv(100) == message
        until(lambda: len(served.core.taken) == 3, "the beat")
    assert served.core.taken == [False, True, False], "long ago, within the beat, at its end"


def test_a_full_disk_keeps_the_rows_of_calls_for_the_next_write() -> None:
    journal = MemoryJournal()
    with Served(journal=journal) as served, served.udp() as phone:
        journal.fault = JournalFull("The journal holds too much.")
        phone.send(b"CALL ENDS")
        assert phone.recv(100) == b"CALL ENDS"
        assert served.refusals == ["The journal holds too much."]
        journal.fault = None
        phone.send(b"CALL ENDS")
        until(lambda: len(journal.writes) == 1, "the next write")


def test_a_full_disk_does_not_keep_the_engine_from_ending() -> None:
    """The core offers what was refused again and again; the end takes one refusal for an answer."""
    journal = MemoryJournal()
    with Served(journal=journal) as served, served.udp() as phone:
        served.core.keeps_what_is_lost = True
        journal.fault = JournalFull("The journal holds too much.")
        phone.send(b"CALL ENDS")
        assert phone.recv(100) == b"CALL ENDS"
        assert served.refusals


def test_a_flush_of_nothing_is_no_sign_that_a_full_disk_takes_facts() -> None:
    journal = MemoryJournal()
    with Served(journal=journal) as served, served.udp() as phone:
        phone.send(b"CALL ENDS")  # a flush follows within a second
        assert phone.recv(100) == b"CALL ENDS"
        journal.fault = JournalFull("The journal holds too much.")
        phone.send(b"CALL ENDS")
        assert phone.recv(100) == b"CALL ENDS"
        until(lambda: journal.syncs == 1, "the flush")
        assert served.call(served.facts.counters)["journal_refuses_now"] == 1
