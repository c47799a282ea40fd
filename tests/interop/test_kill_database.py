"""kill -9 of Postgres: calls go on, new ones work, phones register, and the log is whole after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.bursts import calls_by_sipp, calls_to, ended_calls_to
from tests.interop.conftest import Phones
from tests.support.cast import extension, merged
from tests.support.pbx_process import PbxProcess
from tests.support.wait import until
from tests.support.wire_calls import Dialog, OutgoingCall
from tests.support.wire_phone import WirePhone

EXTENSIONS = {"extensions": [extension(number) for number in ("3201", "3202", "3203")]}


BURST = 200


@pytest.fixture(scope="module")
def pbx() -> Iterator[PbxProcess]:
    with PbxProcess(only="engine") as running:
        running.apply(merged([EXTENSIONS]))
        yield running


def talk(alice: WirePhone, bob: WirePhone) -> tuple[OutgoingCall, Dialog, Dialog]:
    call = alice.call(bob.number)
    there = bob.incoming().answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    return call, dialog, there


def end(dialog: Dialog, there: Dialog) -> None:
    dialog.request("BYE")
    there.take_bye()
    assert dialog.phone.wire.receive_final("BYE").status == 200


def test_calls_and_registrations_go_on_and_the_log_is_whole_after(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice, bob = phones.wire("3201"), phones.wire("3202")
    late = phones.wire("3203", register=False)
    before, dialog, there = talk(alice, bob)
    pbx.row_of(before.call_id, state="talking")

    # Stopped in mid-air first, so that the time without a database does not depend on how soon
    # the supervisor puts a new one there.
    for process in pbx.parts("postgres"):
        process.freeze()
    during = []
    assert late.register().status == 200, "a new phone is accepted from memory"
    for _ in range(3):
        call, here, other = talk(alice, late)
        during.append(call.call_id)
        end(here, other)
    end(dialog, there)
    old = pbx.postgres()
    for process in pbx.parts("postgres"):
        process.kill()
    call, here, other = talk(alice, bob)
    during.append(call.call_id)
    end(here, other)

    pbx.another_postgres(old)
    for call_id in (before.call_id, *during):
        assert pbx.row_of(call_id, deadline=30)["result"] == "answered"
    until(
        lambda: pbx.query("SELECT 1 FROM registrations_binding WHERE aor = '3203@pbx.test'"),
        "the registration of that time in the table",
    )
    call, here, other = talk(alice, late)
    end(here, other)
    pbx.row_of(call.call_id)


def test_burst_of_calls_around_a_kill_leaves_one_row_each(
    pbx: PbxProcess, phones: Phones, tmp_path: Path
) -> None:
    before = calls_to(pbx, "3203")

    def kill() -> None:
        until(lambda: calls_to(pbx, "3203") > before + 10, "the first rows", deadline=10)
        pbx.postgres().kill()

    calls_by_sipp(
        phones, tmp_path, "3201", "3203", count=BURST, rate=50, hold_ms=500, meanwhile=kill
    )
    until(
        lambda: ended_calls_to(pbx, "3203", before + BURST), f"{BURST} rows", deadline=30, pause=0.2
    )
    rows = pbx.query("SELECT result FROM calls_call WHERE called LIKE '3203%%'")
    assert len(rows) == before + BURST
    assert [row["result"] for row in rows].count("answered") == before + BURST


def test_a_change_after_the_database_came_back_is_live(pbx: PbxProcess, phones: Phones) -> None:
    """The engine listens again on the new connection."""
    old = pbx.postgres()
    old.kill()
    pbx.another_postgres(old)
    pbx.apply({"extensions": [extension("3204")]})
    phone = phones.wire("3204", register=False)
    until(lambda: phone.register().status == 200, "3204 to register", deadline=15, pause=0.2)


def test_engine_killed_while_the_database_is_away_loses_nothing(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice, bob = phones.wire("3201"), phones.wire("3202")
    for process in pbx.parts("postgres"):
        process.freeze()
    call, dialog, there = talk(alice, bob)
    ended, here, other = talk(alice, bob)
    end(here, other)
    pbx.engine().kill()
    for process in pbx.parts("postgres"):
        process.kill()
    until(pbx.answers_options, "the engine to answer again", deadline=40, explain=pbx.tail)
    end(dialog, there)
    for call_id in (call.call_id, ended.call_id):
        assert pbx.row_of(call_id, deadline=30)["result"] == "answered"
