"""Several phones on one AOR: all ring, one answers, the others stop and say no missed call."""

from __future__ import annotations

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess
from tests.support.wait import until

CONFIGURATION = {"extensions": [extension("1401"), extension("1402"), extension("1403")]}

ELSEWHERE = "Call completed elsewhere"


def test_one_answers_the_other_stops_ringing_rfc3326(pbx: PbxProcess, phones: Phones) -> None:
    alice = phones.baresip("1401", tone=440)
    desk = phones.baresip("1402", name="desk", tone=660, transport="udp")
    mobile = phones.baresip("1402", name="mobile", tone=880, transport="tcp")
    alice.dial("1402")
    call_id = desk.wait_for("CALL_INCOMING")["id"]
    mobile.wait_for("CALL_INCOMING")
    mobile.accept()
    alice.wait_for("CALL_ESTABLISHED")
    desk.wait_for("CALL_CLOSED")
    until(lambda: ELSEWHERE in desk.trace(), "the CANCEL with its Reason in the desk phone's trace")
    assert "cause=200" in desk.trace()
    alice.hears(880)
    alice.hang_up()
    mobile.wait_for("CALL_CLOSED")
    row = pbx.row_of(call_id)
    assert row["result"] == "answered"
    assert sorted(leg["result"] for leg in pbx.legs_of(row)) == ["answered", "elsewhere"]


def test_reason_of_the_cancel_in_bytes_rfc3326_2(phones: Phones) -> None:
    alice, one, two = phones.wire("1401"), phones.wire("1402"), phones.wire("1402")
    call = alice.call("1402")
    first, second = one.incoming(), two.incoming()
    first.ring()
    second.ring()
    call.rings()
    dialog = first.answer(acknowledged=False)
    cancel = second.cancelled()
    assert cancel["Reason"].replace(" ", "") == f'SIP;cause=200;text="{ELSEWHERE}"'.replace(" ", "")
    caller = call.answered()
    one.wire.receive_request("ACK")
    caller.request("BYE")
    dialog.take_bye()
    assert alice.wire.receive_final("BYE").status == 200


def test_one_declines_with_603_all_stop_rfc3261_16_7(pbx: PbxProcess, phones: Phones) -> None:
    alice, one, two = phones.wire("1401"), phones.wire("1402"), phones.wire("1402")
    call = alice.call("1402")
    first, second = one.incoming(), two.incoming()
    second.ring()
    first.reject(603, "Decline")
    cancel = second.cancelled()
    assert ELSEWHERE not in cancel["Reason"]
    call.fails(603)
    assert pbx.row_of(call.call_id)["result"] == "declined"


def test_one_busy_the_other_rings_on_and_the_best_response_is_told(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice, one, two = phones.wire("1401"), phones.wire("1402"), phones.wire("1402")
    call = alice.call("1402")
    first, second = one.incoming(), two.incoming()
    first.reject(486, "Busy Here")
    second.ring()
    call.rings()
    alice.wire.nothing("486", 0.3)
    second.reject(480, "Temporarily Unavailable")
    final = alice.wire.receive_final("INVITE")
    assert final.status in (486, 480)
    call.ack_failure(final)
    assert pbx.row_of(call.call_id)["sip_status"] == final.status


def test_two_answer_at_once_the_caller_gets_both_rfc6026(pbx: PbxProcess, phones: Phones) -> None:
    alice, one, two = phones.wire("1401"), phones.wire("1403"), phones.wire("1403")
    call = alice.call("1403")
    first, second = one.incoming(), two.incoming()
    answered_first = first.answer(acknowledged=False)
    answered_second = second.answer(acknowledged=False)
    dialogs = [call.answered(), call.answered()]
    assert dialogs[0].remote != dialogs[1].remote
    # The caller keeps the first and ends the second (RFC 3261 §13.2.2.4); then it ends the first.
    sides = {one.wire.local: answered_first, two.wire.local: answered_second}
    for dialog in reversed(dialogs):
        side = sides[dialog.target.partition("@")[2]]
        side.phone.wire.receive_request("ACK")
        dialog.request("BYE")
        side.take_bye()
        assert alice.wire.receive_final("BYE").status == 200
    assert pbx.row_of(call.call_id)["result"] == "answered"
