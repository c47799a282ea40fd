"""A number that was taken away and given to somebody else does not ring the former phones."""

from __future__ import annotations

from sipengine.api import ConfigSnapshot
from tests.services.conftest import person, registered
from tests.services.wire import DOMAIN, Wire, snapshot


def office(*numbers: str) -> ConfigSnapshot:
    return snapshot([person(number) for number in numbers])


def at_last(wire: Wire, *numbers: str) -> None:
    """The configuration is changed and a moment has passed."""
    wire.core.set_config(office(*numbers), wire.now)
    wire.settle()
    wire.advance(1.1)


def known(wire: Wire) -> set[str]:
    """The numbers of all bindings, as the engine tells the database."""
    wire.beat()
    return {aor.removesuffix(f"@{DOMAIN}") for aor, *_ in wire.bindings}


def test_a_deleted_extensions_phones_are_forgotten_and_that_is_a_fact() -> None:
    wire = Wire(office("1001", "1002"))
    alice = registered(wire, "1001", "198.51.100.1")
    bob = registered(wire, "1002", "198.51.100.2")
    assert known(wire) == {"1001", "1002"}
    at_last(wire, "1001")
    assert known(wire) == {"1001"}
    at_last(wire, "1001", "1002")
    alice.call("1002").fails(480)
    bob.nothing()
    assert bob.register().status == 200
    alice.call("1002")
    bob.incoming()


def test_phones_of_all_others_stay() -> None:
    wire = Wire(office("1001", "1002", "1003"))
    alice = registered(wire, "1001", "198.51.100.1")
    bob = registered(wire, "1002", "198.51.100.2")
    at_last(wire, "1001", "1002")
    assert known(wire) == {"1001", "1002"}
    alice.call("1002")
    bob.incoming()


def test_a_call_in_progress_goes_on() -> None:
    wire = Wire(office("1001", "1002"))
    alice = registered(wire, "1001", "198.51.100.1")
    bob = registered(wire, "1002", "198.51.100.2")
    call = alice.call("1002")
    bob.incoming().answer()
    dialog = call.answered()
    bob.inbox.clear()
    at_last(wire, "1001")
    dialog.request("BYE")
    bob.reply(bob.request("BYE"), 200)
    alice.response(200)
    assert wire.row.result == "answered"


def test_what_was_deleted_while_the_engine_was_away_is_forgotten_at_its_start() -> None:
    wire = Wire(office("1001", "1002"))
    registered(wire, "1001", "198.51.100.1")
    registered(wire, "1002", "198.51.100.2")
    assert known(wire) == {"1001", "1002"}
    wire.config = office("1001")
    wire.restart()
    wire.advance(1.1)
    assert known(wire) == {"1001"}
