"""An engine of three processes on one port: nobody notices, whichever has a call and whichever dies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sipengine.steering import share_of
from tests.interop.conftest import Phones
from tests.support.cast import extension, merged
from tests.support.pbx_process import PbxProcess
from tests.support.processes import Process
from tests.support.wait import until
from tests.support.wire_calls import Dialog, OutgoingCall, token
from tests.support.wire_phone import WirePhone
from tests.support.wire_watcher import WireWatcher

COUNT = 3
PROCESSES = range(COUNT)
NUMBERS = [str(number) for number in range(4701, 4706)]
BACK_S = 20.0


@pytest.fixture(scope="module")
def pbx() -> Iterator[PbxProcess]:
    with PbxProcess(environment={"PBX_ENGINE_WORKERS": str(COUNT)}) as running:
        running.apply(merged([{"extensions": [extension(number) for number in NUMBERS]}]))
        until(
            lambda: len(running.query("SELECT 1 FROM directory_extension")) == len(NUMBERS),
            "the extensions",
        )
        yield running


def call(phone: WirePhone, callee: str, process: int) -> OutgoingCall:
    """A call that belongs to that process, its challenge answered."""
    made = OutgoingCall(phone, f"sip:{callee}@{phone.domain}")
    while share_of(made.call_id.encode(), COUNT) != process:
        made.call_id = f"{token()}@wire"
    made.send_invite()
    made.authenticate()
    return made


def talking(alice: WirePhone, bob: WirePhone, process: int) -> tuple[OutgoingCall, Dialog, Dialog]:
    """The call, and the dialog as each of them has it."""
    made = call(alice, bob.number, process)
    offered = bob.incoming()
    offered.ring()
    made.rings()
    theirs = offered.answer(acknowledged=False)
    ours = made.answered()
    bob.wire.receive_request("ACK")
    return made, ours, theirs


def program(pbx: PbxProcess, process: int) -> Process:
    """The running process with that number."""

    if not process:
        return pbx.engine()

    def found() -> list[Process]:
        members = pbx.parts("-m sipengine")
        return [m for m in members if f"--worker {process} " in f"{m.command} "]

    return until(found, f"process {process}", deadline=BACK_S, explain=pbx.tail)[0]


def kill(pbx: PbxProcess, process: int) -> None:
    """Kill it, and wait until another is in its place."""
    old = program(pbx, process)
    # What it said last is not to be taken for news.
    pbx.query("DELETE FROM enginelink_enginestatus RETURNING 1")
    old.kill()
    until(lambda: program(pbx, process).pid != old.pid, "its successor", deadline=BACK_S)


def whole(pbx: PbxProcess) -> None:
    """Wait until every process is there and the first one knows it."""
    until(
        lambda: pbx.query(
            "SELECT 1 FROM enginelink_enginestatus WHERE (counters->>'crew_workers_now')::int = %s"
            " AND heartbeat_at > now() - interval '4 seconds'",
            COUNT - 1,
        ),
        "the engine to be whole",
        deadline=BACK_S,
        explain=pbx.tail,
    )


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize(
    ("caller", "callee"), [("udp", "udp"), ("tcp", "udp"), ("udp", "tcp"), ("tcp", "tcp")]
)
def test_a_call_of_any_process_between_phones_of_any_transport(
    pbx: PbxProcess, phones: Phones, process: int, caller: str, callee: str
) -> None:
    alice = phones.wire("4701", transport=caller)
    bob = phones.wire("4702", transport=callee)
    made, ours, theirs = talking(alice, bob, process)
    ours.request("INFO")
    bob.reply(bob.wire.receive_request("INFO"), 200, "OK")
    assert alice.wire.receive_final("INFO").status == 200
    if process % 2:
        ours.request("BYE")
        theirs.take_bye()
        assert alice.wire.receive_final("BYE").status == 200
    else:
        theirs.request("BYE")
        ours.take_bye()
        assert bob.wire.receive_final("BYE").status == 200
    row = pbx.row_of(made.call_id)
    assert (row["result"], row["caller"]) == ("answered", f"4701@{alice.domain}")
    assert row["hangup_by"] == ("caller" if process % 2 else "callee")


@pytest.mark.parametrize("process", PROCESSES)
def test_a_call_is_cancelled_wherever_it_is_rfc3261_9(
    pbx: PbxProcess, phones: Phones, process: int
) -> None:
    alice, bob = phones.wire("4701"), phones.wire("4702", transport="tcp")
    made = call(alice, "4702", process)
    offered = bob.incoming()
    offered.ring()
    made.rings()
    made.cancel()
    offered.cancelled()
    made.fails(487)
    assert pbx.row_of(made.call_id)["result"] == "cancelled"


@pytest.mark.parametrize("process", PROCESSES)
def test_a_phone_that_has_just_registered_is_called_at_once(phones: Phones, process: int) -> None:
    """Every process knows of it before the phone can say so."""
    alice = phones.wire("4701")
    for _ in range(10):
        bob = phones.wire("4702")
        made = call(alice, "4702", process)
        offered = bob.incoming(deadline=1)
        offered.reject(486, "Busy Here")
        made.fails(486)
        bob.register(contact="*", expires=0)
        made = call(alice, "4702", process)
        made.fails(480)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_killed_process_costs_no_call_that_was_answered(
    pbx: PbxProcess, phones: Phones, process: int
) -> None:
    alice, bob = phones.wire("4701"), phones.wire("4702")
    calls = [talking(alice, bob, other) for other in PROCESSES]
    for made, _, _ in calls:
        pbx.row_of(made.call_id, state="talking")
    kill(pbx, process)
    for at, (made, ours, theirs) in enumerate(calls):
        speaker, other = (ours, theirs) if at % 2 else (theirs, ours)
        name = speaker.request("BYE")
        until_taken(speaker, name, other)
        assert speaker.phone.wire.receive_final("BYE").status == 200
        row = pbx.row_of(made.call_id, deadline=BACK_S)
        assert row["result"] == "answered"
        assert row["hangup_by"] == ("caller" if at % 2 else "callee")
    whole(pbx)


def until_taken(speaker: Dialog, name: str, other: Dialog) -> None:
    """Repeat the BYE as a phone does while the process it belongs to starts again (§17.1.2.2)."""

    def taken() -> bool:
        try:
            other.take_bye(deadline=0.5)
        except AssertionError:
            speaker.request("BYE", number=speaker.cseq, via=name)
            return False
        return True

    until(taken, "the BYE to arrive", deadline=BACK_S)


def test_a_ringing_call_outlives_the_owner(pbx: PbxProcess, phones: Phones) -> None:
    alice, bob = phones.wire("4701"), phones.wire("4702")
    made = call(alice, "4702", 1)
    offered = bob.incoming()
    offered.ring()
    made.rings()
    kill(pbx, 0)
    theirs = offered.answer(acknowledged=False)
    ours = made.answered()
    bob.wire.receive_request("ACK")
    ours.request("BYE")
    theirs.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    assert pbx.row_of(made.call_id)["result"] == "answered"
    whole(pbx)


@pytest.mark.parametrize("process", [1, 2])
def test_a_killed_worker_ends_its_ringing_calls_in_the_log(
    pbx: PbxProcess, phones: Phones, process: int
) -> None:
    alice, bob = phones.wire("4701"), phones.wire("4702")
    made = call(alice, "4702", process)
    offered = bob.incoming()
    offered.ring()
    made.rings()
    pbx.row_of(made.call_id, state="ringing")
    kill(pbx, process)
    row = pbx.row_of(made.call_id, deadline=BACK_S)
    assert row["result"] == "failed"
    assert "restarted while it was ringing" in row["reason"]
    whole(pbx)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_lamp_shows_a_call_of_any_process_rfc4235(phones: Phones, process: int) -> None:
    alice, bob, desk = phones.wire("4701"), phones.wire("4702"), phones.wire("4703")
    watcher = WireWatcher(desk, "4702")
    assert watcher.subscribe().status == 200
    assert watcher.lamp() == "idle"
    made = call(alice, "4702", process)
    offered = bob.incoming()
    offered.ring()
    made.rings()
    watcher.until_lamp("early")
    theirs = offered.answer(acknowledged=False)
    made.answered()
    bob.wire.receive_request("ACK")
    watcher.until_lamp("confirmed")
    theirs.request("BYE")
    alice.reply(alice.wire.receive_request("BYE"), 200, "OK")
    watcher.until_lamp("idle")


@pytest.mark.parametrize("process", PROCESSES)
def test_the_messages_of_a_call_are_found_wherever_it_was(
    pbx: PbxProcess, phones: Phones, process: int
) -> None:
    alice, bob = phones.wire("4701"), phones.wire("4702", transport="tcp")
    made, ours, theirs = talking(alice, bob, process)
    ours.request("BYE")
    theirs.take_bye()
    row = pbx.row_of(made.call_id)
    told = pbx.run("trace", str(row["id"]))
    for word in ("INVITE", "180", "200", "ACK", "BYE"):
        assert word in told, told
