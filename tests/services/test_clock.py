"""Somebody sets the machine's clock: nothing ends early or lasts longer, and rows tell the new time."""

from __future__ import annotations

import pytest

from sipengine.page_credentials import issue
from sipengine.services.page_phones import PagePhones
from sipengine.services.this_process import ThisProcess
from tests.services.phones import SNAPSHOT, Registrations
from tests.services.test_calls import end, talk
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, WALL, Wire

HOUR = 3600.0

pytestmark = pytest.mark.parametrize("step", [HOUR, -HOUR])


def test_registrations_last_as_long_as_before_and_their_rows_tell_the_new_time(
    wire: Wire, alice: Phone, step: float
) -> None:
    wire.beat()
    before = {key: record.expires_at for key, record in wire.bindings.items()}
    assert before
    wire.advance(10)
    assert wire.core.process.see_clock(wire.now, wire.wall + step) == pytest.approx(step)
    wire.beat()
    after = {key: record.expires_at for key, record in wire.bindings.items()}
    assert after == {key: pytest.approx(at + step) for key, at in before.items()}
    wire.advance(min(before.values()) - WALL - wire.now - 1)
    assert wire.core.counters()["bindings_now"] == len(before)
    wire.advance(2)
    assert wire.core.counters()["bindings_now"] < len(before)


def test_a_call_that_goes_on_has_one_row_whose_length_is_true(
    wire: Wire, alice: Phone, bob: Phone, step: float
) -> None:
    dialog = talk(alice, bob)
    wire.advance(60)
    wire.core.process.see_clock(wire.now, wire.wall + step)
    end(dialog, bob)
    row = wire.row
    assert row.ended == pytest.approx(wire.wall + step)
    assert row.answered is not None
    assert row.ended is not None
    assert row.ended - row.answered == pytest.approx(60, abs=1)


def test_a_page_may_register_by_the_new_time(step: float) -> None:
    """The web side issues its passwords by the machine's clock, and the engine checks until when."""
    process = ThisProcess(b"s" * 16, "x", 0.0, WALL)
    pages = PagePhones(b"k" * 32, process, Registrations().location)
    given = issue("1001", DOMAIN, "91c2a5d04be7f368", b"k" * 32, WALL + 100.0 + step)
    process.see_clock(100.0, WALL + 100.0 + step)
    who = pages.extension_of(given.username, DOMAIN, SNAPSHOT, 100.0)
    assert who is not None
    assert 0 < who.registered_for <= 3600


def test_a_clock_that_is_only_steered_changes_nothing(
    wire: Wire, alice: Phone, step: float
) -> None:
    wire.beat()
    assert wire.core.process.see_clock(wire.now, wire.wall + step / 3600) == 0.0
    assert not wire.beat()
