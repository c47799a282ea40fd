"""Real phones over UDP, TCP and TLS, and a browser over WebSocket, call each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.interop.conftest import Phones
from tests.support.cast import PASSWORD, extension
from tests.support.linphone import Linphone
from tests.support.pbx_process import DOMAIN, PbxProcess
from tests.support.wait import until

NUMBERS = ("4601", "4602", "4603", "4604", "4605")
CONFIGURATION = {"extensions": [extension(number) for number in NUMBERS]}


def transports_of(pbx: PbxProcess, number: str) -> list[str]:
    rows = pbx.query(
        "SELECT transport FROM registrations_binding WHERE aor = %s", f"{number}@{DOMAIN}"
    )
    return [row["transport"] for row in rows]


@pytest.mark.parametrize(("caller", "callee"), [("tls", "udp"), ("tcp", "tls"), ("tls", "tls")])
def test_desk_phones_over_tls_call_and_are_called(
    pbx: PbxProcess, phones: Phones, caller: str, callee: str
) -> None:
    alice = phones.baresip("4601", transport=caller, tone=440)
    bob = phones.baresip("4602", transport=callee, tone=660)
    until(lambda: caller.upper() in transports_of(pbx, "4601"), f"a binding over {caller}")
    alice.dial("4602")
    call_id = bob.wait_for("CALL_INCOMING")["id"]
    bob.accept()
    alice.wait_for("CALL_ESTABLISHED")
    bob.hears(440)
    alice.hears(660)
    bob.hang_up()
    alice.wait_for("CALL_CLOSED")
    row = pbx.row_of(call_id)
    assert (row["result"], row["hangup_by"]) == ("answered", "callee")
    assert any(binding["transport"] == caller.upper() for binding in pbx.bindings()), (
        "the command shows the transport"
    )


def test_rfc5922_a_phone_that_checks_the_certificate_takes_ours(
    pbx: PbxProcess, phones: Phones
) -> None:
    phone = phones.baresip("4601", transport="tls", authority=pbx.certificate)
    assert "verify" not in phone.trace().lower()
    assert "TLS" in transports_of(pbx, "4601")


def test_linphone_over_tls_and_a_desk_phone_over_tcp_call_each_other(
    pbx: PbxProcess, phones: Phones, tmp_path: Path
) -> None:
    desk = phones.baresip("4604", transport="tcp", tone=660)
    account = ("4603", tmp_path, pbx.sips, DOMAIN, PASSWORD.format("4603"), "tls")
    with Linphone(*account) as soft:
        until(lambda: "TLS" in transports_of(pbx, "4603"), "linphone to register", deadline=15,
              explain=soft.trace)  # fmt: skip
        soft.say(f"call sip:4604@{DOMAIN}")
        outgoing = desk.wait_for("CALL_INCOMING")["id"]
        desk.accept()
        soft.logged("LinphoneCallStreamsRunning")
        desk.hang_up()
        desk.wait_for("CALL_CLOSED")
        assert pbx.row_of(outgoing)["result"] == "answered"

        desk.dial("4603")
        soft.logged("LinphoneCallIncomingReceived")
        soft.say("answer")
        incoming = desk.wait_for("CALL_ESTABLISHED")["id"]
        soft.say("terminate")
        desk.wait_for("CALL_CLOSED")
        row = pbx.row_of(incoming)
        assert (row["result"], row["hangup_by"]) == ("answered", "callee")


BROWSER_PHONE = (Path(__file__).parent / "browser_phone.js").read_text()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(ignore_https_errors=True) as context:
        window = context.new_page()
        window.set_default_timeout(15_000)
        yield window


@pytest.mark.parametrize("way", ["http", "https"])
def test_rfc7118_a_browser_registers_is_called_and_calls(
    pbx: PbxProcess, phones: Phones, page: Page, way: str
) -> None:
    assert pbx.ready is not None
    origin = pbx.ready.https if way == "https" else pbx.ready.http
    address = origin.replace("http", "ws", 1) + "/sip"
    page.goto(f"{origin}/healthz/web")  # any page of ours: its Origin is what counts
    page.evaluate(BROWSER_PHONE)
    page.evaluate(
        "([address, number, domain, password]) => register(address, number, domain, password)",
        [address, "4605", DOMAIN, PASSWORD.format("4605")],
    )
    expected = "WSS" if way == "https" else "WS"
    until(lambda: expected in transports_of(pbx, "4605"), f"a binding over {expected}")

    desk = phones.wire("4601")
    call = desk.call("4605")
    assert page.evaluate("answered()") == "4601"
    dialog = call.answered()
    dialog.request("BYE")
    assert desk.wire.receive_final("BYE").status == 200
    row = pbx.row_of(call.call_id)
    assert (row["result"], row["answered_by"]) == ("answered", f"4605@{DOMAIN}")

    page.evaluate("void (outgoing = dial('4601'))")
    incoming = desk.incoming()
    theirs = incoming.answer(acknowledged=False)
    desk.wire.receive_request("ACK")
    assert page.evaluate("outgoing") == 200
    page.evaluate("hangUp()")
    theirs.take_bye()
    row = pbx.row_of(incoming.invite["Call-ID"])
    assert (row["result"], row["hangup_by"]) == ("answered", "caller")


def test_a_strangers_page_cannot_open_it(pbx: PbxProcess, page: Page) -> None:
    """A page of another origin (here: none of a network at all) tries both doors."""
    assert pbx.ready is not None
    doors = [
        pbx.ready.http.replace("http", "ws", 1) + "/sip",
        f"ws://{pbx.sip[0]}:{pbx.environment['PBX_WS_PORT']}/",
    ]
    page.goto("data:text/html,<p>elsewhere</p>")
    for door in doors:
        outcome = page.evaluate(
            """address => new Promise(resolve => {
                const socket = new WebSocket(address, "sip");
                socket.onopen = () => resolve("open");
                socket.onclose = () => resolve("closed");
            })""",
            door,
        )
        assert outcome == "closed", door
