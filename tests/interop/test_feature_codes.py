"""Real phones call the echo test and the tone: each hears what it must."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import PASSWORD, extension
from tests.support.linphone import Linphone
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.wait import until

CONFIGURATION = {"extensions": [extension("3101"), extension("3102")]}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_echo_test_gives_the_phone_its_own_tone(
    pbx: PbxProcess, phones: Phones, transport: str
) -> None:
    alice = phones.baresip("3101", tone=620, transport=transport)
    alice.dial("*43")
    call_id = alice.wait_for("CALL_ESTABLISHED")["id"]
    alice.hears(620)
    alice.hang_up()
    alice.wait_for("CALL_CLOSED")
    row = pbx.row_of(call_id)
    assert (row["result"], row["hangup_by"]) == ("answered", "caller")
    assert row["called"] == "*43"
    assert row["answered_by"] == "Echo test"


def test_tone_for_checking_the_loudspeaker(pbx: PbxProcess, phones: Phones) -> None:
    alice = phones.baresip("3101", tone=620)
    alice.dial("*44")
    call_id = alice.wait_for("CALL_ESTABLISHED")["id"]
    alice.hears(440)
    alice.hang_up()
    alice.wait_for("CALL_CLOSED")
    assert pbx.row_of(call_id)["result"] == "answered"


def test_hold_and_resume_of_the_echo(pbx: PbxProcess, phones: Phones) -> None:
    alice = phones.baresip("3101", tone=620)
    alice.dial("*43")
    call_id = alice.wait_for("CALL_ESTABLISHED")["id"]
    alice.hears(620)
    alice.command("hold")
    until(lambda: "a=recvonly" in alice.trace(), "the hold to be answered", explain=alice.trace)
    alice.command("resume")
    alice.hears(620)
    alice.hang_up()
    assert pbx.row_of(call_id)["hangup_by"] == "caller"


def test_linphone_calls_the_echo(pbx: PbxProcess, tmp_path: Path) -> None:
    account = ("3102", tmp_path, pbx.server, DOMAIN, PASSWORD.format("3102"), "udp")
    with Linphone(*account) as soft:
        until(
            lambda: pbx.query("SELECT 1 FROM registrations_binding WHERE aor = '3102@pbx.test'"),
            "linphone to register",
            deadline=15,
            explain=soft.trace,
        )
        soft.say(f"call sip:*43@{DOMAIN}")
        soft.logged("LinphoneCallStreamsRunning")
        soft.say("terminate")
        rows = until(
            lambda: pbx.query(
                "SELECT * FROM calls_call WHERE caller LIKE '3102%%' AND state = 'ended'"
            ),
            "the row",
            deadline=15,
        )
        assert rows[0]["answered_by"] == "Echo test"


def test_phone_that_dies_in_the_echo_test_is_noticed(pbx: PbxProcess, phones: Phones) -> None:
    alice = phones.baresip("3101", tone=620)
    alice.dial("*43")
    call_id = alice.wait_for("CALL_ESTABLISHED")["id"]
    alice.hears(620)
    alice._process.kill()
    row = pbx.row_of(call_id, deadline=45)
    assert (row["result"], row["hangup_by"]) == ("answered", "system")
    assert "no sound had come from the phone" in row["reason"]
