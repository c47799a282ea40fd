"""A saved change decides the next call in under a second and leaves calls in progress alone."""

from __future__ import annotations

import time

from tests.interop.conftest import Phones
from tests.support.cast import PASSWORD, extension
from tests.support.pbx_process import PbxProcess, Row
from tests.support.wait import until

CONFIGURATION = {
    "extensions": [extension("1801"), extension("1802"), extension("1803")],
    "rules": [
        {"name": "changes: door", "called": "1890", "action": "forward", "targets": ["1802"]},
    ],
}

LIVE_S = 1.0
"""From the moment the change is saved (`apply` has ended)."""


def test_a_changed_rule_decides_the_next_call_and_not_the_present_one(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice, bob = phones.baresip("1801", tone=440), phones.baresip("1802", tone=660)
    caller = phones.wire("1803")
    alice.dial("1890")
    call_id = bob.wait_for("CALL_INCOMING")["id"]
    bob.accept()
    alice.wait_for("CALL_ESTABLISHED")

    closed = {"name": "changes: door", "called": "1890", "action": "reject", "status": 403}
    pbx.apply({"rules": [closed]})
    saved = time.monotonic()

    def refused() -> bool:
        """Try a call; where it would still ring, cancel it."""
        call = caller.call("1890")
        final = caller.wire.receive()
        while final.status < 180:
            final = caller.wire.receive()
        if final.status == 403:
            call.ack_failure(final)
            return True
        call.cancel()
        call.fails(487)
        return False

    until(refused, "the new rule to decide", deadline=LIVE_S)
    assert time.monotonic() - saved < LIVE_S + 0.3, "the last try itself may take a moment"

    alice.hears(660)
    bob.hears(440)
    assert not alice.saw("CALL_CLOSED")
    alice.hang_up()
    bob.wait_for("CALL_CLOSED")
    row = pbx.row_of(call_id)
    assert (row["result"], row["rule"]) == ("answered", "changes: door")


def test_a_new_extension_registers_within_a_second(pbx: PbxProcess, phones: Phones) -> None:
    phone = phones.wire("1804", register=False)
    assert phone.register().status != 200
    pbx.apply({"extensions": [extension("1804")]})
    until(lambda: phone.register().status == 200, "1804 to register", deadline=LIVE_S)


def bindings(pbx: PbxProcess, number: str) -> list[Row]:
    return [row for row in pbx.bindings() if row["aor"].startswith(f"{number}@")]


def test_a_changed_password_shuts_the_old_one_out(pbx: PbxProcess, phones: Phones) -> None:
    phone = phones.wire("1803", register=False)
    assert phone.register().status == 200
    until(lambda: bindings(pbx, "1803"), "the registration to be stored", deadline=5)
    pbx.apply({"extensions": [{**extension("1803"), "password": "quite-another-1"}]})
    until(lambda: bindings(pbx, "1803") == [], "its phones to be signed out", deadline=2 * LIVE_S)
    assert phone.register().status != 200
    assert phone.register(password="quite-another-1").status == 200
    pbx.apply({"extensions": [{**extension("1803"), "password": PASSWORD.format("1803")}]})
    until(lambda: phone.register().status == 200, "the first one again", deadline=LIVE_S)
