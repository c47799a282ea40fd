"""A blind transfer through the whole product: two dialogs, one row, told in its sentence (RFC 5589 §6.1)."""

from __future__ import annotations

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import DOMAIN, PbxProcess

CONFIGURATION = {"extensions": [extension("2701"), extension("2702"), extension("2703")]}


def test_rfc5589_6_1_a_blind_transfer_is_one_row(pbx: PbxProcess, phones: Phones) -> None:
    alice, bob, carol = (phones.wire(number) for number in ("2701", "2702", "2703"))
    first = alice.call("2702")
    at_bob = bob.incoming().answer(acknowledged=False)
    here = first.answered()
    bob.wire.receive_request("ACK")
    at_bob.request("REFER", extra=f"Refer-To: <sip:2703@{DOMAIN}>\n")
    alice.reply(alice.wire.receive_request("REFER"), 202, "Accepted")
    assert bob.wire.receive_final("REFER").status == 202
    second = alice.call("2703")
    at_carol = carol.incoming().answer(acknowledged=False)
    there = second.answered()
    carol.wire.receive_request("ACK")
    at_bob.request("BYE")
    here.take_bye()
    assert bob.wire.receive_final("BYE").status == 200
    there.request("BYE")
    at_carol.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    row = pbx.row_of(first.call_id)
    assert row["call_ids"] == [first.call_id, second.call_id]
    assert (row["result"], row["hangup_by"]) == ("answered", "caller")
    assert "transferred" in row["reason"]
    assert [leg["target"] for leg in pbx.legs_of(row)] == [f"2702@{DOMAIN}", f"2703@{DOMAIN}"]
