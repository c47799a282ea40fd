"""Twinkle over UDP and TCP (it has no TLS) calls baresip and linphone over UDP, TCP and TLS, and is called.

The pairs of baresip and linphone are in `test_linphone.py` and `test_transports.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.interop.conftest import Phones
from tests.support.baresip import Baresip
from tests.support.cast import PASSWORD, extension
from tests.support.linphone import Linphone
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.twinkle import Twinkle
from tests.support.wait import until

CONFIGURATION = {"extensions": [extension(number) for number in ("4901", "4902", "4903")]}


def registered(pbx: PbxProcess, number: str, transport: str) -> None:
    until(
        lambda: pbx.query(
            "SELECT 1 FROM registrations_binding WHERE aor = %s AND transport = %s",
            f"{number}@{DOMAIN}",
            transport.upper(),
        ),
        f"{number} to register over {transport}",
        deadline=15,
    )


@pytest.fixture
def twinkle(pbx: PbxProcess, tmp_path: Path) -> Callable[[str], AbstractContextManager[Twinkle]]:
    return lambda transport: Twinkle(
        "4901", tmp_path, pbx.server, DOMAIN, PASSWORD.format("4901"), transport
    )


@pytest.mark.parametrize(("transport", "others"), [("udp", "tcp"), ("tcp", "tls"), ("tcp", "udp")])
def test_twinkle_and_baresip_call_each_other(
    pbx: PbxProcess,
    phones: Phones,
    twinkle: Callable[[str], AbstractContextManager[Twinkle]],
    transport: str,
    others: str,
) -> None:
    desk: Baresip = phones.baresip("4902", transport=others)
    with twinkle(transport) as soft:
        registered(pbx, "4901", transport)
        soft.say(f"call sip:4902@{DOMAIN}")
        outgoing = desk.wait_for("CALL_INCOMING")["id"]
        desk.accept()
        soft.shows("far end answered call")
        soft.say("bye")
        desk.wait_for("CALL_CLOSED")
        row = pbx.row_of(outgoing)
        assert (row["result"], row["hangup_by"]) == ("answered", "caller")
        assert "Twinkle" in row["caller_device"]

        desk.dial("4901")
        soft.shows("incoming call")
        desk.wait_for("CALL_RINGING")
        soft.say("answer")
        incoming = desk.wait_for("CALL_ESTABLISHED")["id"]
        desk.hang_up()
        soft.shows("far end ended call")
        row = pbx.row_of(incoming)
        assert (row["result"], row["hangup_by"]) == ("answered", "caller")
        assert "Twinkle" in row["answered_device"]


@pytest.mark.parametrize(("transport", "others"), [("udp", "tls"), ("tcp", "tcp")])
def test_twinkle_and_linphone_call_each_other(
    pbx: PbxProcess,
    tmp_path: Path,
    twinkle: Callable[[str], AbstractContextManager[Twinkle]],
    transport: str,
    others: str,
) -> None:
    server = pbx.sips if others == "tls" else pbx.server
    account = ("4903", tmp_path, server, DOMAIN, PASSWORD.format("4903"), others)
    with Linphone(*account) as desk, twinkle(transport) as soft:
        registered(pbx, "4903", others)
        registered(pbx, "4901", transport)
        soft.say(f"call sip:4903@{DOMAIN}")
        desk.logged("LinphoneCallIncomingReceived")
        desk.say("answer")
        soft.shows("far end answered call")
        soft.say("bye")
        desk.logged("LinphoneCallReleased")

        desk.say(f"call sip:4901@{DOMAIN}")
        soft.shows("incoming call")
        soft.say("answer")
        soft.shows("call established")
        desk.logged("LinphoneCallStreamsRunning")
        desk.say("terminate")
        soft.shows("far end ended call")


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_linphone_and_baresip_register_over_each_transport(
    pbx: PbxProcess, phones: Phones, tmp_path: Path, transport: str
) -> None:
    server = pbx.sips if transport == "tls" else pbx.server
    account = ("4903", tmp_path, server, DOMAIN, PASSWORD.format("4903"), transport)
    phones.baresip("4902", transport=transport)
    with Linphone(*account):
        registered(pbx, "4903", transport)
        registered(pbx, "4902", transport)
