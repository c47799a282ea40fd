"""kill -9 of everything: the next start comes up with all that was acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.bursts import SCENARIOS
from tests.interop.conftest import Phones
from tests.support.cast import PASSWORD, extension, merged
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.sipp import Sipp, credentials
from tests.support.wait import until

STORM = 800
"""Phones that register at once; the power goes while they do."""

EXTENSIONS = {"extensions": [extension(number) for number in ("3301", "3302", "3303")]}


@pytest.fixture(scope="module")
def pbx() -> Iterator[PbxProcess]:
    with PbxProcess(only="engine") as running:
        running.apply(merged([EXTENSIONS]))
        yield running


def test_registrations_calls_and_configuration_are_there_at_the_next_start(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice, bob = phones.wire("3301"), phones.wire("3302")
    call = alice.call("3302")
    there = bob.incoming().answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    refused = alice.call("3302")
    bob.incoming().reject(486, "Busy Here")
    refused.fails(486)
    pbx.row_of(refused.call_id)
    pbx.row_of(call.call_id, state="talking")
    fresh = phones.wire("3303")  # acknowledged, and the very next thing is the power cut

    pbx.kill_everything()
    pbx.start()

    assert pbx.row_of(refused.call_id)["result"] == "busy"
    assert {row["aor"] for row in pbx.bindings()} == {
        "3301@pbx.test",
        "3302@pbx.test",
        "3303@pbx.test",
    }
    again = alice.call("3303")
    fresh.incoming().reject(486, "Busy Here")
    again.fails(486)
    dialog.request("BYE")
    there.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["hangup_by"]) == ("answered", "caller")
    assert pbx.started_in < 15, f"the second start took {pbx.started_in:.1f} s"


def test_every_acknowledged_registration_is_there_after_a_power_cut_in_a_storm(
    pbx: PbxProcess, tmp_path: Path
) -> None:
    numbers = [str(number) for number in range(40_000, 40_000 + STORM)]
    pbx.apply({"extensions": [extension(number) for number in numbers]})
    storm = Sipp(
        SCENARIOS / "register.xml",
        tmp_path,
        target=pbx.server,
        calls=STORM,
        rate=400,
        limit_s=8,
        keys={"domain": DOMAIN},
        rows=[[number, credentials(number, PASSWORD.format(number))] for number in numbers],
    )
    with storm:
        until(lambda: registered(pbx, "40") > STORM / 4, "a part of them", deadline=10)
        pbx.kill_everything()
    acknowledged = storm.result(0).successful
    pbx.start()
    assert 0 < acknowledged < STORM
    assert registered(pbx, "40") >= acknowledged
    shown = [row for row in pbx.bindings() if row["aor"].startswith("40")]
    assert len(shown) == registered(pbx, "40")


def registered(pbx: PbxProcess, prefix: str) -> int:
    rows = pbx.query(
        "SELECT count(*) AS n FROM registrations_binding WHERE aor LIKE %s", f"{prefix}%"
    )
    return int(rows[0]["n"])


def test_it_stops_cleanly_and_leaves_no_process_behind(pbx: PbxProcess) -> None:
    family = [*pbx.parts(""), pbx.engine()]
    assert pbx.stop() == 0
    assert not [process for process in family if process.is_running()]
