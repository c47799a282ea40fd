"""Forwards of an extension: always, when busy, when nobody answers; and forwards in a circle."""

from __future__ import annotations

import time
from typing import Any

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess


def forward(**more: Any) -> dict[str, Any]:
    return {"forward": {"always": None, "busy": None, "no_answer": None, **more}}


CONFIGURATION = {
    "extensions": [
        extension("1701"),
        extension("1702"),
        extension("1703", **forward(always="1702")),
        extension("1704", **forward(busy="1702")),
        extension("1705", **forward(no_answer="1702", no_answer_after=2)),
        extension("1706", **forward(always="1707")),
        extension("1707", **forward(always="1706")),
    ]
}


def test_forward_always_leaves_the_extensions_own_phone_alone(
    pbx: PbxProcess, phones: Phones
) -> None:
    alice, own, other = phones.wire("1701"), phones.wire("1703"), phones.wire("1702")
    call = alice.call("1703")
    other.incoming().reject(486, "Busy Here")
    call.fails(486)
    own.wire.nothing("INVITE", 0.2)
    row = pbx.row_of(call.call_id)
    assert "1703" in row["called"]
    assert [leg["target"] for leg in pbx.legs_of(row)] == ["1702@pbx.test"]


def test_forward_when_busy(pbx: PbxProcess, phones: Phones) -> None:
    alice, own, other = phones.baresip("1701"), phones.baresip("1704"), phones.baresip("1702")
    alice.dial("1704")
    call_id = own.wait_for("CALL_INCOMING")["id"]
    own.hang_up()
    other.wait_for("CALL_INCOMING")
    other.accept()
    alice.wait_for("CALL_ESTABLISHED")
    other.hang_up()
    alice.wait_for("CALL_CLOSED")
    row = pbx.row_of(call_id)
    assert (row["result"], row["hangup_by"]) == ("answered", "callee")
    assert "1702" in row["answered_by"]
    assert [leg["result"] for leg in pbx.legs_of(row)] == ["busy", "answered"]


def test_forward_when_nobody_answers(pbx: PbxProcess, phones: Phones) -> None:
    alice, own, other = phones.wire("1701"), phones.wire("1705"), phones.wire("1702")
    call = alice.call("1705")
    ringing = own.incoming()
    ringing.ring()
    call.rings()
    begun = time.monotonic()
    ringing.cancelled()
    assert 1.5 <= time.monotonic() - begun <= 4
    answering = other.incoming()
    there = answering.answer(acknowledged=False)
    dialog = call.answered()
    other.wire.receive_request("ACK")
    dialog.request("BYE")
    there.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    row = pbx.row_of(call.call_id)
    assert [leg["result"] for leg in pbx.legs_of(row)] == ["no_answer", "answered"]


def test_forward_when_nobody_answers_also_serves_an_extension_without_a_phone(
    phones: Phones,
) -> None:
    alice, other = phones.wire("1701"), phones.wire("1702")
    call = alice.call("1705")
    other.incoming().reject(486, "Busy Here")
    call.fails(486)


def test_forwards_in_a_circle_end_soon_rfc5393(pbx: PbxProcess, phones: Phones) -> None:
    call = phones.wire("1701").call("1706")
    final = call.phone.wire.receive_final("INVITE", deadline=3)
    call.ack_failure(final)
    assert final.status in (404, 480, 482, 483)
    row = pbx.row_of(call.call_id)
    assert row["result"] == "failed"
    assert len(pbx.legs_of(row)) <= 2
