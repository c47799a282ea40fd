"""`./run trace CALL`: the messages of a call, asked of the running engine."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess
from tests.support.wire_calls import branch

CONFIGURATION = {"extensions": [extension("3501"), extension("3502", name="Béa")]}
WIDTH = 120


def told(pbx: PbxProcess, call: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(pbx.run("trace", call, "--json"))
    return answer


def first_lines(answer: dict[str, Any]) -> list[str]:
    return [one["text"].partition("\n")[0] for one in answer["messages"]]


def test_call_between_two_phones(pbx: PbxProcess, phones: Phones, tmp_path: Path) -> None:
    alice, bob = phones.wire("3501"), phones.wire("3502", transport="tcp")
    call = alice.call("3502")
    incoming = bob.incoming()
    incoming.ring()
    call.rings()
    incoming.answer(acknowledged=False)
    call.answered()
    row = pbx.row_of(call.call_id, state="talking")
    ladder = pbx.run("trace", call.call_id)
    lines = ladder.splitlines()
    call_number = str(row["id"])
    assert call_number in lines[0]
    assert all(len(line) <= WIDTH for line in lines[1:]), ladder
    for words in ("3501", "3502", "Branchline", "407 Proxy Auth", "180 Ringing", "200 OK", "ACK"):
        assert words in ladder, ladder
    by_id = told(pbx, call_number)
    assert by_id["messages"] == told(pbx, call.call_id)["messages"]
    assert {one["transport"] for one in by_id["messages"]} == {"UDP", "TCP"}
    assert "INVITE sip:3502" in first_lines(by_id)[0]
    file = tmp_path / "call.pcap"
    pbx.run("trace", call_number, "--pcap", str(file))
    packets = file.read_bytes()
    assert struct.unpack_from("<IHH", packets) == (0xA1B2C3D4, 2, 4)
    assert packets.count(b"\r\n\r\n") >= len(by_id["messages"])


def test_secrets_and_texts_stay_in_the_engine(pbx: PbxProcess, phones: Phones) -> None:
    alice, bob = phones.wire("3501"), phones.wire("3502")
    call = alice.call("3502")
    bob.incoming().answer(acknowledged=False)
    here = call.answered()
    bob.wire.receive_request("ACK")
    text = "the safe is 4711"
    here.cseq += 1
    routes = "".join(f"Route: {route}\n" for route in here.routes)
    alice.wire.send(
        f"MESSAGE {here.target} SIP/2.0\nVia: {alice.via(branch())}\n{routes}Max-Forwards: 70\n"
        f"From: {here.local}\nTo: {here.remote}\nCall-ID: {here.call_id}\n"
        f"CSeq: {here.cseq} MESSAGE\nContent-Type: text/plain\nContent-Length: {len(text)}\n\n{text}"
    )
    bob.wire.receive_request("MESSAGE")
    full = pbx.run("trace", call.call_id, "--full")
    assert 'Proxy-Authorization: Digest username="3501"' in full
    assert "response=[hidden]" in full
    assert "4711" not in full
    assert "bytes of text/plain, not shown" in full
    left = pbx.query("SELECT count(*) AS rows FROM enginelink_command WHERE kind = 'trace'")
    assert left == [{"rows": 0}], "the answer does not stay in the database"


def test_refused_call_is_told_by_its_call_id(pbx: PbxProcess, phones: Phones) -> None:
    alice = phones.wire("3501")
    call = alice.start_call("3502")
    call.authenticate(password="wrong")
    lines = first_lines(told(pbx, call.call_id))
    assert [line for line in lines if " 407 " in line], lines


def test_unknown_call_has_no_messages(pbx: PbxProcess) -> None:
    assert told(pbx, "nobody@nowhere")["messages"] == []
    assert pbx.run("trace", "nobody@nowhere", check=False) == ""
