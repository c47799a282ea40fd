"""When subscriptions and publications run out, and that refreshing them leaves nothing behind."""

from __future__ import annotations

from sipengine.services.events.expiries import Expiries


def test_a_name_runs_out_at_the_moment_set_last() -> None:
    expiries = Expiries()
    expiries.set("a", 60.0)
    expiries.set("a", 30.5)
    assert expiries.take(30.5, 10) == []
    assert expiries.take(31.0, 10) == ["a"]
    assert expiries.take(61.0, 10) == []


def test_the_earliest_come_first_and_no_more_than_asked_for() -> None:
    expiries = Expiries()
    for name, moment in (("c", 3.0), ("a", 1.0), ("b", 1.0), ("d", 9.0)):
        expiries.set(name, moment)
    assert expiries.take(5.0, 1) == ["a"]
    assert expiries.take(5.0, 9) == ["b", "c"]
    assert len(expiries) == 1


def test_what_is_dropped_does_not_run_out() -> None:
    expiries = Expiries()
    expiries.set("a", 1.0)
    expiries.drop("a")
    expiries.drop("never set")
    assert expiries.take(2.0, 10) == []


def test_a_thousand_refreshes_and_a_thousand_short_lives_leave_one_second_each() -> None:
    """A phone may refresh, or subscribe and end it, as often as it likes within the longest time."""
    expiries = Expiries()
    for number in range(1000):
        expiries.set("refreshed", 7200.0 + number / 1000)
        expiries.set(f"short {number}", 7200.0 + number / 1000)
        expiries.drop(f"short {number}")
    assert len(expiries) == 1
    assert len(expiries._seconds) <= 2
    assert expiries.take(9000.0, 10) == ["refreshed"]
    assert not expiries._seconds
    assert not expiries._names
