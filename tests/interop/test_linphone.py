"""linphone, which answers the SHA-256 challenge, calls a desk phone and is called by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import PASSWORD, extension
from tests.support.linphone import Linphone
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.wait import until

CONFIGURATION = {"extensions": [extension("2501"), extension("2502")]}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_linphone_and_baresip_call_each_other(
    pbx: PbxProcess, phones: Phones, tmp_path: Path, transport: str
) -> None:
    desk = phones.baresip("2502", tone=660)
    account = ("2501", tmp_path, pbx.server, DOMAIN, PASSWORD.format("2501"), transport)
    with Linphone(*account) as soft:
        until(
            lambda: pbx.query("SELECT 1 FROM registrations_binding WHERE aor = '2501@pbx.test'"),
            "linphone to register",
            deadline=15,
            explain=soft.trace,
        )
        assert "algorithm=SHA-256" in soft.trace()

        soft.say(f"call sip:2502@{DOMAIN}")
        outgoing = desk.wait_for("CALL_INCOMING")["id"]
        desk.accept()
        soft.logged("LinphoneCallStreamsRunning")
        desk.hang_up()
        desk.wait_for("CALL_CLOSED")
        row = pbx.row_of(outgoing)
        assert (row["result"], row["hangup_by"]) == ("answered", "callee")
        assert "Linphone" in row["caller_device"]

        desk.dial("2501")
        soft.logged("LinphoneCallIncomingReceived")
        desk.wait_for("CALL_RINGING")
        soft.say("answer")
        incoming = desk.wait_for("CALL_ESTABLISHED")["id"]
        soft.say("terminate")
        desk.wait_for("CALL_CLOSED")
        row = pbx.row_of(incoming)
        assert (row["result"], row["hangup_by"]) == ("answered", "callee")
        assert "Linphone" in row["answered_device"]
    until(
        lambda: not pbx.query("SELECT 1 FROM registrations_binding WHERE aor = '2501@pbx.test'"),
        "linphone to be unregistered",
    )
