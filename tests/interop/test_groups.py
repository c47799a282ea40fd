"""Rules that ring several targets: all at once, or one after the other."""

from __future__ import annotations

import time

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess

CONFIGURATION = {
    "extensions": [extension(number) for number in ("1501", "1502", "1503")],
    "rules": [
        {
            "name": "groups: in sequence",
            "called": "1590",
            "action": "forward",
            "strategy": "sequential",
            "timeout": 2,
            "targets": ["1502", "1503"],
        },
        {
            "name": "groups: all at once",
            "called": "1591",
            "action": "forward",
            "strategy": "simultaneous",
            "timeout": 2,
            "targets": ["1502", "1503"],
        },
        {
            "name": "groups: by the number's own digits",
            "called": r"/^77(15\d\d)$/",
            "action": "forward",
            "targets": ["{1}"],
        },
        {
            "name": "groups: closed",
            "called": "1592*",
            "action": "reject",
            "status": 480,
            "reason": "Closed today",
        },
    ],
}


def test_in_sequence_the_second_rings_after_the_first_rfc3261_16_6(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice, first, second = phones.wire("1501"), phones.baresip("1502"), phones.baresip("1503")
    call = alice.call("1590")
    first.wait_for("CALL_INCOMING")
    call.rings()
    begun = time.monotonic()
    assert not second.saw("CALL_INCOMING"), "one after the other"
    second.wait_for("CALL_INCOMING")
    assert 1.5 <= time.monotonic() - begun <= 4
    first.wait_for("CALL_CLOSED")
    second.accept()
    dialog = call.answered()
    assert dialog.bye().status == 200
    second.wait_for("CALL_CLOSED")
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["rule"]) == ("answered", "groups: in sequence")
    assert "1503" in row["answered_by"]
    assert [leg["result"] for leg in pbx.legs_of(row)] == ["no_answer", "answered"]
    assert "1590" in row["called"], "the row says what was dialled"


def test_in_sequence_a_busy_one_is_passed_over_at_once(pbx: PbxProcess, phones: Phones) -> None:
    alice, one, two = phones.wire("1501"), phones.wire("1502"), phones.wire("1503")
    call = alice.call("1590")
    one.incoming().reject(486, "Busy Here")
    two.incoming(deadline=1.0).reject(486, "Busy Here")
    call.fails(486)
    row = pbx.row_of(call.call_id)
    assert row["result"] == "busy"
    assert len(pbx.legs_of(row)) == 2


def test_all_at_once_both_ring_and_nobody_answers_480(pbx: PbxProcess, phones: Phones) -> None:
    alice, one, two = phones.wire("1501"), phones.wire("1502"), phones.wire("1503")
    call = alice.call("1591")
    first, second = one.incoming(), two.incoming()
    first.ring()
    second.ring()
    first.cancelled()
    second.cancelled()
    call.fails(480)
    assert pbx.row_of(call.call_id)["result"] == "no_answer"


def test_a_regular_expression_fills_the_target(pbx: PbxProcess, phones: Phones) -> None:
    alice, one = phones.wire("1501"), phones.wire("1502")
    call = alice.call("771502")
    one.incoming().reject(486, "Busy Here")
    call.fails(486)
    assert pbx.row_of(call.call_id)["rule"] == "groups: by the number's own digits"


def test_a_rule_rejects_with_its_status_and_reason(pbx: PbxProcess, phones: Phones) -> None:
    call = phones.wire("1501").call("15921")
    refused = call.fails(480)
    assert "Closed today" in str(refused)
    row = pbx.row_of(call.call_id)
    assert (row["sip_status"], row["rule"]) == (480, "groups: closed")
    assert "Closed today" in row["reason"] or "groups: closed" in row["reason"]
