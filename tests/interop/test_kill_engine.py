"""kill -9 of the engine: calls go on, their ends pass the new process, phones are still called."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension, merged
from tests.support.pbx_process import PbxProcess
from tests.support.processes import Process
from tests.support.wait import until

EXTENSIONS = {"extensions": [extension(number) for number in ("3101", "3102", "3103")]}

BACK_S = 15.0
"""The contract sets no figure; a phone repeats a request for 32 s, so that nothing is lost."""


@pytest.fixture(scope="module")
def pbx() -> Iterator[PbxProcess]:
    with PbxProcess(only="engine") as running:
        running.apply(merged([EXTENSIONS]))
        yield running


def kill_engine(pbx: PbxProcess) -> Process:
    """Kill it and wait until a new one answers OPTIONS; returns the new process."""
    old = pbx.engine()
    old.kill()
    new = until(
        lambda: [part for part in pbx.parts("-m sipengine") if part.pid != old.pid],
        "a new engine",
        deadline=BACK_S,
        explain=pbx.tail,
    )[0]
    until(lambda: pbx.answers_options(), "the new engine to answer", deadline=BACK_S)
    return new


def test_talk_goes_on_and_the_bye_passes_the_new_process(pbx: PbxProcess, phones: Phones) -> None:
    alice = phones.baresip("3101", tone=440)
    bob = phones.baresip("3102", tone=660)
    alice.dial("3102")
    call_id = bob.wait_for("CALL_INCOMING")["id"]
    bob.accept()
    alice.wait_for("CALL_ESTABLISHED")
    alice.hears(660)
    pbx.row_of(call_id, state="talking")

    kill_engine(pbx)
    sounded = alice.heard().seconds
    until(lambda: alice.heard().seconds > sounded + 0.6, "sound after the kill")
    alice.hears(660)
    bob.hears(440)
    assert not alice.saw("CALL_CLOSED")
    assert not bob.saw("CALL_CLOSED")
    ended = time.time()
    alice.hang_up()
    bob.wait_for("CALL_CLOSED")

    row = pbx.row_of(call_id)
    assert (row["result"], row["hangup_by"], row["sip_status"]) == ("answered", "caller", 200)
    assert abs(row["ended"].timestamp() - ended) < 2
    assert row["started"] <= row["ringing"] <= row["answered"] <= row["ended"]
    assert "3102" in row["answered_by"]


def test_callee_on_tcp_ends_the_call_after_it_has_reconnected(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice, bob = phones.wire("3101"), phones.wire("3102", transport="tcp")
    call = alice.call("3102")
    there = bob.incoming().answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    pbx.row_of(call.call_id, state="talking")

    kill_engine(pbx)
    assert bob.wire.is_closed(), "its connection died with the process"
    again = phones.wire("3102", transport="tcp")
    there.phone = again
    there.request("BYE")
    dialog.take_bye()
    assert again.wire.receive_final("BYE").status == 200
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["hangup_by"]) == ("answered", "callee")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_real_phone_that_was_registered_is_called_at_once(
    pbx: PbxProcess, phones: Phones, transport: str
) -> None:
    """Over TCP its connection is gone; its contact can be connected to all the same."""
    caller = phones.wire("3101", register=False)
    phone = phones.baresip("3102", transport=transport)
    kill_engine(pbx)
    call = caller.call("3102")
    phone.wait_for("CALL_INCOMING", deadline=3)
    phone.hang_up()
    call.fails(486)


def test_phone_that_only_its_own_connection_reaches_is_called_when_it_has_reconnected(
    pbx: PbxProcess, phones: Phones
) -> None:
    hidden = "192.168.250.250:5060"
    caller = phones.wire("3101", register=False)
    phone = phones.wire("3103", transport="tcp", hidden_as=hidden)
    kill_engine(pbx)
    assert phone.wire.is_closed()
    phone = phones.wire("3103", transport="tcp", hidden_as=hidden)
    call = caller.call("3103")
    phone.incoming(deadline=3).reject(486, "Busy Here")
    call.fails(486)


def test_a_call_that_was_ringing_is_closed_in_the_log(pbx: PbxProcess, phones: Phones) -> None:
    """Its transactions died with the process; the row must not ring for ever."""
    alice, bob = phones.wire("3101"), phones.wire("3102")
    call = alice.call("3102")
    bob.incoming().ring()
    call.rings()
    pbx.row_of(call.call_id, state="ringing")
    kill_engine(pbx)
    row = pbx.row_of(call.call_id, deadline=20)
    assert row["result"] in ("failed", "cancelled", "no_answer")
    assert row["hangup_by"] in ("system", "")
    assert row["reason"]


def test_twenty_ended_calls_around_a_kill_are_all_in_the_log_once(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice, bob = phones.wire("3101"), phones.wire("3102")
    call_ids = []
    for turn in range(20):
        call = alice.call("3102")
        there = bob.incoming().answer(acknowledged=False)
        dialog = call.answered()
        bob.wire.receive_request("ACK")
        call_ids.append(call.call_id)
        if turn == 10:
            kill_engine(pbx)
        dialog.request("BYE")
        there.take_bye()
        assert alice.wire.receive_final("BYE").status == 200
    until(
        lambda: [row["state"] for row in pbx.rows_of(*call_ids)] == ["ended"] * 20,
        "twenty ended rows",
        deadline=15,
        explain=lambda: str([(r["call_ids"], r["state"]) for r in pbx.rows_of(*call_ids)]),
    )
    assert {row["result"] for row in pbx.rows_of(*call_ids)} == {"answered"}
