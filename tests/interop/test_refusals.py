"""Calls that nobody answers: busy, declined, cancelled, not answered, unknown."""

from __future__ import annotations

import time

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess

CONFIGURATION = {
    "extensions": [
        extension("1201"),
        extension("1202"),
        extension("1203", ring_timeout=2),
        extension("1205", enabled=False),
        extension("1204"),
    ]
}


def test_busy_486_rfc3261_21_4_24(pbx: PbxProcess, phones: Phones) -> None:
    alice, bob = phones.baresip("1201"), phones.baresip("1202")
    alice.dial("1202")
    call_id = bob.wait_for("CALL_INCOMING")["id"]
    bob.hang_up()
    assert "486" in alice.wait_for("CALL_CLOSED")["param"]
    row = pbx.row_of(call_id)
    assert (row["result"], row["sip_status"], row["answered"]) == ("busy", 486, None)
    assert [leg["result"] for leg in pbx.legs_of(row)] == ["busy"]


def test_declined_603_ends_the_call_rfc3261_21_6_2(pbx: PbxProcess, phones: Phones) -> None:
    alice, bob = phones.wire("1201"), phones.wire("1202")
    call = alice.call("1202")
    incoming = bob.incoming()
    incoming.ring()
    call.rings()
    incoming.reject(603, "Decline")
    call.fails(603)
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["sip_status"]) == ("declined", 603)
    assert row["ringing"]


def test_cancelled_by_the_caller_rfc3261_9(pbx: PbxProcess, phones: Phones) -> None:
    alice, bob = phones.baresip("1201"), phones.baresip("1202")
    alice.dial("1202")
    call_id = bob.wait_for("CALL_INCOMING")["id"]
    alice.wait_for("CALL_RINGING")
    alice.hang_up()
    bob.wait_for("CALL_CLOSED")
    row = pbx.row_of(call_id)
    assert (row["result"], row["sip_status"], row["hangup_by"]) == ("cancelled", 487, "caller")
    assert row["answered"] is None
    assert [leg["result"] for leg in pbx.legs_of(row)] == ["cancelled"]


def test_cancel_is_answered_at_once_and_the_invite_with_487_rfc3261_16_10(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice, bob = phones.wire("1201"), phones.wire("1202")
    call = alice.call("1202")
    incoming = bob.incoming()
    incoming.ring()
    call.rings()
    call.cancel()
    assert alice.wire.receive_final("CANCEL").status == 200
    incoming.cancelled()
    call.fails(487)
    assert pbx.row_of(call.call_id)["result"] == "cancelled"


def test_no_answer_480_after_the_ring_timeout(pbx: PbxProcess, phones: Phones) -> None:
    alice, bob = phones.wire("1201"), phones.wire("1203")
    call = alice.call("1203")
    incoming = bob.incoming()
    incoming.ring()
    call.rings()
    rung = time.monotonic()
    incoming.cancelled()
    call.fails(480)
    assert 1.5 <= time.monotonic() - rung <= 4
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["sip_status"], row["hangup_by"]) == ("no_answer", 480, "system")
    assert [leg["result"] for leg in pbx.legs_of(row)] == ["no_answer"]


def test_unknown_number_404(pbx: PbxProcess, phones: Phones) -> None:
    call = phones.wire("1201").call("1299")
    call.fails(404)
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["sip_status"], row["rule"]) == ("failed", 404, "")
    assert "1299" in row["reason"]


def test_a_number_that_is_switched_off_480(pbx: PbxProcess, phones: Phones) -> None:
    alice = phones.baresip("1201")
    alice.dial("1205")
    assert "480 1205 is switched off" in alice.wait_for("CALL_CLOSED")["param"]
    call = phones.wire("1202").call("1205")
    call.fails(480)
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["sip_status"]) == ("failed", 480)
    assert row["reason"].endswith("The call failed: 1205 is switched off.")


def test_a_call_with_a_wrong_password_is_in_the_log(pbx: PbxProcess, phones: Phones) -> None:
    alice = phones.wire("1201")
    call = alice.start_call("1202")
    call.authenticate(password="old")
    assert alice.wire.receive_final("INVITE").status == 407
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["sip_status"], row["called"]) == ("failed", 407, "1202")
    assert "wrong password for 1201" in row["reason"]


def test_a_number_with_no_phone_registered_480(pbx: PbxProcess, phones: Phones) -> None:
    call = phones.wire("1201").call("1204")
    call.fails(480)
    row = pbx.row_of(call.call_id)
    assert row["sip_status"] == 480
    assert row["result"] in ("failed", "no_answer")
    assert row["ringing"] is None


def test_an_offline_phone_hears_why_in_baresip(phones: Phones) -> None:
    alice = phones.baresip("1201")
    alice.dial("1299")
    assert "404" in alice.wait_for("CALL_CLOSED")["param"]


def test_no_hop_left_483_rfc3261_16_3(phones: Phones) -> None:
    alice, bob = phones.wire("1201"), phones.wire("1202")
    call = alice.start_call("1202", hops="0")
    final = alice.wire.receive_final("INVITE")
    if final.status == 407:  # the order of the two checks is free
        call.ack_failure(final)
        call = alice.start_call("1202", hops="0")
        call.authenticate()
        final = alice.wire.receive_final("INVITE")
    assert final.status == 483
    call.ack_failure(final)
    bob.wire.nothing("INVITE", 0.2)
