"""Listening on `::`: phones of both worlds reach each other (RFC 5118, RFC 5658)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension, merged
from tests.support.pbx_process import PbxProcess
from tests.support.wire import Address

EXTENSIONS = {"extensions": [extension("3401"), extension("3402")]}


@pytest.fixture(scope="module")
def pbx() -> Iterator[PbxProcess]:
    with PbxProcess(only="engine", environment={"PBX_BIND": "::"}) as running:
        running.apply(merged([EXTENSIONS]))
        yield running


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("caller", "callee"), [("::1", "::1"), ("::1", "127.0.0.1"), ("127.0.0.1", "::1")]
)
def test_call_between_address_families_and_back(
    pbx: PbxProcess, phones: Phones, transport: str, caller: str, callee: str
) -> None:
    port = pbx.sip[1]

    def at(host: str) -> Address:
        return host, port

    alice = phones.wire("3401", transport=transport, server=at(caller))
    bob = phones.wire("3402", transport=transport, server=at(callee))
    call = alice.call("3402")
    there = bob.incoming().answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    there.request("INFO")
    alice.reply(alice.wire.receive_request("INFO"), 200, "OK")
    assert bob.wire.receive_final("INFO").status == 200
    dialog.request("BYE")
    there.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["hangup_by"]) == ("answered", "caller")
