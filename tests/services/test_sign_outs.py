"""Phones that registered with an earlier password are signed out when it changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipengine.api import ConfigSnapshot
from sipengine.services.events.subscription import Subscription
from sipengine.services.sign_outs import SignOuts
from sipengine.services.this_process import ThisProcess
from tests.services.conftest import registered
from tests.services.events.watcher import Watcher, watching
from tests.services.phones import ALICE, SNAPSHOT, WALL, Registrations, request
from tests.services.test_numbers_reused import known, office
from tests.services.wire import DOMAIN, Wire

ALICES = f"1001@{DOMAIN}"


def changed(at: float) -> ConfigSnapshot:
    return replace(office("1001", "1002"), new_passwords={ALICES: at})


@pytest.fixture
def wire() -> Wire:
    wire = Wire(office("1001", "1002"))
    registered(wire, "1001", "198.51.100.1")
    registered(wire, "1002", "198.51.100.2")
    wire.advance(60)
    assert known(wire) == {"1001", "1002"}
    return wire


@pytest.mark.parametrize("ahead", [-3600, -5, 0, 3600])
def test_phones_are_signed_out_whatever_the_databases_clock_says(wire: Wire, ahead: float) -> None:
    wire.core.set_config(changed(wire.wall + ahead), wire.now)
    assert known(wire) == {"1002"}


def test_who_registers_with_the_new_one_stays_at_later_changes(wire: Wire) -> None:
    since = wire.wall + 300  # the database's clock is ahead of ours
    wire.core.set_config(changed(since), wire.now)
    registered(wire, "1001", "198.51.100.1")
    wire.advance(1)
    wire.core.set_config(changed(since), wire.now)
    assert known(wire) == {"1001", "1002"}
    wire.core.set_config(changed(since + 1), wire.now)
    assert known(wire) == {"1002"}


def test_a_call_in_progress_goes_on(wire: Wire) -> None:
    alice = registered(wire, "1001", "198.51.100.1")
    bob = registered(wire, "1002", "198.51.100.2")
    bob_rings = alice.call("1002")
    bob.incoming().answer()
    dialog = bob_rings.answered()
    bob.inbox.clear()
    wire.core.set_config(changed(wire.wall), wire.now)
    dialog.request("BYE")
    bob.reply(bob.request("BYE"), 200)
    alice.response(200)
    assert wire.row.result == "answered"


@pytest.mark.parametrize(("ago", "left"), [(30.0, {"1002"}), (90.0, {"1001", "1002"})])
def test_what_changed_while_the_engine_was_away_counts_at_its_start(
    wire: Wire, ago: float, left: set[str]
) -> None:
    """They registered 60 s ago."""
    wire.config = changed(wire.wall - ago)
    wire.restart()
    assert known(wire) == left


class NoSubscriptions:
    def of_user(self, aor: str) -> list[Subscription]:
        return []

    def sign_out(self, subscription: Subscription, now: float) -> None:
        raise AssertionError("there is none")


def test_a_page_needs_no_password_of_a_phone() -> None:
    world = Registrations()
    who = replace(ALICE, page="91c2a5d04be7f368")
    asking = request("Contact: <sip:1@10.0.0.5:5060>")
    world.registrar.register(asking, who, world.udp(), world.now, world.wall)
    process = ThisProcess(b"s" * 16, "x", 0.0, WALL)
    snapshot = replace(SNAPSHOT, new_passwords={ALICE.aor: world.wall + 5})
    SignOuts(world.location, NoSubscriptions(), process, world.now).follow(snapshot, world.now)
    assert len(world.location.contacts(ALICE.aor, world.now)) == 1


class TestSubscriptions:
    """What an old password subscribed to ends with it (RFC 6665 §4.1.3), as its registrations do."""

    @pytest.mark.parametrize("ahead", [-3600, -5, 0, 3600])
    def test_6665_4_1_3_they_are_deactivated_without_a_last_word(
        self, wire: Wire, ahead: float
    ) -> None:
        alice = registered(wire, "1001", "198.51.100.1")
        bob = registered(wire, "1002", "198.51.100.2")
        old, others = watching(alice, "1002"), watching(bob, "1001")
        wire.core.set_config(changed(wire.wall + ahead), wire.now)
        wire.advance(0.1)
        last = old.notified()
        assert last["Subscription-State"] == "terminated;reason=deactivated"
        assert not last.body, "whoever has it may not know the state any more"
        assert wire.core.counters()["subscriptions_now"] == 1
        assert others.subscribe().status == 200
        assert old.subscribe().status == 481

    def test_a_refresh_at_that_moment_begins_nothing(self, wire: Wire) -> None:
        alice = registered(wire, "1001", "198.51.100.1")
        old = watching(alice, "1002")
        wire.core.set_config(changed(wire.wall), wire.now)
        assert old.subscribe().status == 481

    def test_who_subscribes_with_the_new_one_stays_at_later_changes(self, wire: Wire) -> None:
        since = wire.wall + 300
        wire.core.set_config(changed(since), wire.now)
        alice = registered(wire, "1001", "198.51.100.1")
        watching(alice, "1002")
        wire.advance(1)
        wire.core.set_config(changed(since), wire.now)
        wire.advance(1)
        assert wire.core.counters()["subscriptions_now"] == 1
        alice.nothing()

    @pytest.mark.parametrize(("ago", "left"), [(30.0, 0), (90.0, 1)])
    def test_what_changed_while_the_engine_was_away_counts_at_its_start(
        self, wire: Wire, ago: float, left: int
    ) -> None:
        alice = registered(wire, "1001", "198.51.100.1")
        watching(alice, "1002")
        wire.advance(60)
        wire.config = changed(wire.wall - ago)
        wire.restart()
        wire.advance(1.5)
        assert wire.core.counters()["subscriptions_now"] == left
        state = alice.request("NOTIFY")["Subscription-State"]
        assert state.startswith("active" if left else "terminated;reason=deactivated")

    def test_6665_4_1_3_an_extension_that_went_while_the_engine_was_away(self, wire: Wire) -> None:
        alice = registered(wire, "1001", "198.51.100.1")
        bob = registered(wire, "1002", "198.51.100.2")
        watching(alice, "1002")
        Watcher(bob, "1001").subscribe()
        bob.inbox.clear()
        wire.config = office("1002")
        wire.restart()
        wire.advance(1.5)
        assert wire.core.counters()["subscriptions_now"] == 0
        assert alice.request("NOTIFY")["Subscription-State"] == "terminated;reason=rejected"
        assert bob.request("NOTIFY")["Subscription-State"] == "terminated;reason=noresource"
