"""Two desk phones, one over UDP and one over TCP, talk through the proxy; one row tells of it."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import DOMAIN, PbxProcess

PROMISED = {
    "id",
    "call_ids",
    "caller",
    "called",
    "answered_by",
    "started",
    "ringing",
    "answered",
    "ended",
    "duration_s",
    "result",
    "sip_status",
    "hangup_by",
    "rule",
    "reason",
}
"""What a row of `./run calls --json` has, for whoever reads it by a program."""

CONFIGURATION = {"extensions": [extension("1101"), extension("1102")]}


@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_udp_phone_calls_tcp_phone_and_both_hear_the_other(
    pbx: PbxProcess, phones: Phones, ends: str
) -> None:
    alice = phones.baresip("1101", tone=440, transport="udp")
    bob = phones.baresip("1102", tone=660, transport="tcp")

    dialled = time.time()
    alice.dial("1102")
    call_id = bob.wait_for("CALL_INCOMING")["id"]
    alice.wait_for("CALL_RINGING")
    bob.accept()
    alice.wait_for("CALL_ESTABLISHED")
    bob.wait_for("CALL_ESTABLISHED")
    answered = time.time()
    alice.hears(660)
    bob.hears(440)
    hung_up = time.time()
    (alice if ends == "caller" else bob).hang_up()
    alice.wait_for("CALL_CLOSED")
    bob.wait_for("CALL_CLOSED")

    pbx.row_of(call_id)
    rows = [row for row in pbx.calls() if call_id in row["call_ids"]]
    assert len(rows) == 1, rows
    row = rows[0]
    assert set(row) >= PROMISED
    assert "1101" in row["caller"]
    assert "1102" in row["called"]
    assert "1102" in row["answered_by"]
    assert (row["result"], row["sip_status"], row["hangup_by"]) == ("answered", 200, ends)
    times = [
        datetime.fromisoformat(row[name]).timestamp()
        for name in ("started", "ringing", "answered", "ended")
    ]
    assert times == sorted(times)
    assert dialled - 0.1 <= times[0] <= answered
    assert abs(times[2] - answered) < 1
    assert abs(times[3] - hung_up) < 1
    assert abs(row["duration_s"] - (times[3] - times[2])) <= 1
    assert len(row["reason"].split()) >= 3, f"a sentence, not {row['reason']!r}"
    assert row["reason"].endswith(".")


def test_tcp_phone_calls_udp_phone_by_the_servers_address(pbx: PbxProcess, phones: Phones) -> None:
    """A phone that knows no domain uses the server's address; it means the default domain."""
    alice = phones.baresip("1101", tone=500, transport="tcp", by_route=False)
    bob = phones.baresip("1102", tone=700, transport="udp", by_route=False)
    alice.dial("1102")
    call_id = bob.wait_for("CALL_INCOMING")["id"]
    bob.accept()
    alice.wait_for("CALL_ESTABLISHED")
    alice.hears(700)
    bob.hears(500)
    bob.hang_up()
    alice.wait_for("CALL_CLOSED")
    row = pbx.row_of(call_id)
    assert (row["result"], row["hangup_by"]) == ("answered", "callee")
    assert row["called"].partition("@")[0] == "1102"
    assert row["domain"] == DOMAIN
