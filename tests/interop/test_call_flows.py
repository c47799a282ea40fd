"""The flows of RFC 3665 by SIPp, and what happens when messages are lost, repeated or cross."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.bursts import calls_by_sipp, calls_to, ended_calls_to
from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess
from tests.support.wait import until

CONFIGURATION = {"extensions": [extension("2101"), extension("2102"), extension("2103")]}

BURST = 200


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_reinvite_and_bye_through_record_route_rfc3665_3_7(
    pbx: PbxProcess, phones: Phones, tmp_path: Path, transport: str
) -> None:
    before = calls_to(pbx, "2103")
    calls_by_sipp(phones, tmp_path, "2101", "2103", flow="_reinvite", count=5, transport=transport)
    rows = until(lambda: ended_calls_to(pbx, "2103", before + 5), "five rows", deadline=10)
    assert [row["result"] for row in rows[:5]] == ["answered"] * 5
    assert {row["hangup_by"] for row in rows[:5]} == {"caller"}


def test_burst_of_200_calls_none_lost_and_200_rows(
    pbx: PbxProcess, phones: Phones, tmp_path: Path
) -> None:
    before = calls_to(pbx, "2103")
    calls_by_sipp(phones, tmp_path, "2101", "2103", count=BURST, rate=100, hold_ms=500)
    rows = until(lambda: ended_calls_to(pbx, "2103", before + BURST), f"{BURST} rows", deadline=20)
    latest = rows[:BURST]
    assert {row["result"] for row in latest} == {"answered"}
    assert len({row["call_ids"][0] for row in latest}) == BURST
    assert calls_to(pbx, "2103") == before + BURST, "and not one more"


def test_repeated_invite_gets_the_same_answer_and_one_row_rfc3261_17_2_1(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice, bob = phones.wire("2101"), phones.wire("2102")
    call = alice.call("2102")
    incoming = bob.incoming()
    incoming.ring()
    call.rings()
    call.retransmit()
    assert call.rings(deadline=2), "the latest provisional response again"
    bob.wire.nothing("INVITE", 0.2)
    incoming.reject(486, "Busy Here")
    call.fails(486)
    call.retransmit()
    alice.wire.nothing("407", 0.2)
    assert pbx.row_of(call.call_id)["result"] == "busy"


def test_repeated_200_until_the_late_ack_rfc6026_7_1(pbx: PbxProcess, phones: Phones) -> None:
    """The caller's ACK is lost at first: every 200 that the callee repeats goes through."""
    alice, bob = phones.wire("2101"), phones.wire("2102")
    call = alice.call("2102")
    incoming = bob.incoming()
    there = incoming.answer(acknowledged=False)
    dialog = call.answered(acknowledge=False)
    for _ in range(3):
        incoming.send_ok()
        repeated = alice.wire.receive_final("INVITE", deadline=2)
        assert repeated["To"] == dialog.remote
    dialog.request("ACK", number=call.cseq)
    bob.wire.receive_request("ACK")
    dialog.request("BYE")
    there.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["hangup_by"]) == ("answered", "caller")


def test_repeated_invite_after_the_200_is_absorbed_rfc6026_7_1(phones: Phones) -> None:
    alice, bob = phones.wire("2101"), phones.wire("2102")
    call = alice.call("2102")
    there = bob.incoming().answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    call.retransmit()
    bob.wire.nothing("INVITE", 0.3)
    dialog.request("BYE")
    there.take_bye()
    assert alice.wire.receive_final("BYE").status == 200


def test_cancel_that_crosses_the_200_leaves_a_call_to_be_ended_rfc3261_9_1(
    pbx: PbxProcess, phones: Phones
) -> None:
    """The callee answers while the CANCEL is on its way to it: the call is up all the same."""
    alice, bob = phones.wire("2101"), phones.wire("2102")
    call = alice.call("2102")
    incoming = bob.incoming()
    incoming.ring()
    call.rings()
    call.cancel()
    cancel = bob.wire.receive_request("CANCEL")
    there = incoming.answer(acknowledged=False)
    bob.reply(cancel, 200, "OK", tag=incoming.tag)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    dialog.request("BYE")
    there.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["sip_status"]) == ("answered", 200)


def test_cancel_after_the_200_changes_nothing_rfc3261_9_2(pbx: PbxProcess, phones: Phones) -> None:
    alice, bob = phones.wire("2101"), phones.wire("2102")
    call = alice.call("2102")
    there = bob.incoming().answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    call.cancel()
    assert alice.wire.receive_final("CANCEL").status in (200, 481)
    bob.wire.nothing("CANCEL", 0.2)
    dialog.request("BYE")
    there.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    assert pbx.row_of(call.call_id)["result"] == "answered"


def test_cancel_of_nothing_481_rfc3261_9_2(phones: Phones) -> None:
    alice = phones.wire("2101")
    call = alice.start_call("2199")
    call.ack_failure(alice.wire.receive_final("INVITE"))
    call.branch += "never"
    call.cancel()
    assert alice.wire.receive_final("CANCEL").status == 481


def test_callee_ends_the_call_over_mixed_transports_rfc5658(
    pbx: PbxProcess, phones: Phones
) -> None:
    """UDP to TCP: requests in the dialog find the way in both directions."""
    alice, bob = phones.wire("2101", transport="udp"), phones.wire("2102", transport="tcp")
    call = alice.call("2102")
    there = bob.incoming().answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    there.request("INFO")
    alice.reply(alice.wire.receive_request("INFO"), 200, "OK")
    assert bob.wire.receive_final("INFO").status == 200
    there.request("BYE")
    dialog.take_bye()
    assert bob.wire.receive_final("BYE").status == 200
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["hangup_by"]) == ("answered", "callee")


def test_bye_for_a_dialog_the_phone_does_not_know_481_is_passed_back(phones: Phones) -> None:
    alice, bob = phones.wire("2101"), phones.wire("2102")
    call = alice.call("2102")
    there = bob.incoming().answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    dialog.request("BYE")
    there.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    dialog.request("BYE")
    bob.reply(bob.wire.receive_request("BYE"), 481, "Call/Transaction Does Not Exist")
    assert alice.wire.receive_final("BYE").status == 481
