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
    phone = phones.baresip("4601", transport="tls", authority=pbx.authority)
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


def browser_phone(page: Page, origin: str, number: str) -> Page:
    """A page of the PBX in which a telephone has registered by the relay of that origin."""
    page.goto(f"{origin}/healthz/web")  # any page of ours: its Origin is what counts
    page.evaluate(BROWSER_PHONE)
    page.evaluate(
        "([address, number, domain, password]) => register(address, number, domain, password)",
        [origin.replace("http", "ws", 1) + "/sip", number, DOMAIN, PASSWORD.format(number)],
    )
    return page


def test_rfc7118_browsers_register_over_ws_and_wss_and_call_each_other(
    pbx: PbxProcess, page: Page, browser: Browser
) -> None:
    """Between two browsers the media is theirs alone, so that the signalling can be looked at by itself."""
    assert pbx.ready is not None
    with browser.new_context(ignore_https_errors=True) as context:
        plain = browser_phone(page, pbx.ready.http, "4605")
        secure = browser_phone(context.new_page(), pbx.ready.https, "4602")
        until(lambda: "WS" in transports_of(pbx, "4605"), "a binding over WS")
        until(lambda: "WSS" in transports_of(pbx, "4602"), "a binding over WSS")
        for caller, callee, numbers in (
            (plain, secure, ("4605", "4602")),
            (secure, plain, ("4602", "4605")),
        ):
            callee.evaluate("void (incoming = answered())")
            assert caller.evaluate(f"dial('{numbers[1]}')") == 200
            assert callee.evaluate("incoming") == numbers[0]
            call_id = caller.evaluate("hangUp()")
            row = pbx.row_of(call_id)
            assert (row["result"], row["hangup_by"]) == ("answered", "caller")
            assert row["answered_by"] == f"{numbers[1]}@{DOMAIN}"


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
