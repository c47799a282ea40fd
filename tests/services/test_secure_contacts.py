"""What this server answers itself within a `sips:` dialog has a `sips:` Contact (RFC 3261 §12.1.1)."""

from __future__ import annotations

import pytest

from tests.services.conftest import person
from tests.services.events.watcher import Watcher
from tests.services.many_ways import PORTS, AnyPhone, ManyWays
from tests.services.user_agents import OutgoingCall
from tests.services.wire import DOMAIN, snapshot
from tests.support.wire import uri_of

ECHO = f"sips:*43@{DOMAIN}"


@pytest.fixture
def wire() -> ManyWays:
    return ManyWays(snapshot([person("1001", "Alice"), person("1002", "Bob")]))


def phone(wire: ManyWays, transport: str, number: str = "1001") -> AnyPhone:
    made = AnyPhone(wire, number, "198.51.100.1", PORTS[transport], transport=transport)
    assert made.register().status == 200
    return made


def call(alice: AnyPhone, uri: str, extra: str = "") -> OutgoingCall:
    made = OutgoingCall(alice, uri, extra=extra)
    made.send()
    made.authenticate()
    return made


@pytest.mark.parametrize(
    ("transport", "uri", "contact"),
    [
        ("TLS", ECHO, "sips:*43@192.0.2.1:5061"),
        ("WSS", ECHO, "sips:*43@192.0.2.1:8443;transport=ws"),
        ("TLS", ECHO.replace("sips", "sip"), "sip:*43@192.0.2.1:5061;transport=tls"),
    ],
)
def test_12_1_1_the_echo_test(wire: ManyWays, transport: str, uri: str, contact: str) -> None:
    alice = phone(wire, transport)
    outgoing = call(alice, uri)
    dialog = outgoing.answered()
    assert dialog.target == contact
    dialog.request("INVITE", body=outgoing.body, extra="Content-Type: application/sdp\n")
    again = next(m for m in alice.inbox if m.status == 200)
    assert uri_of(again["Contact"]) == contact
    alice.inbox.clear()
    dialog.ack()
    dialog.request("BYE")
    alice.response(200)


@pytest.mark.parametrize("hop", ["<sips:198.51.100.9;lr>", "<sip:198.51.100.9:5061;lr;transport=tls>"])  # fmt: skip
def test_12_1_1_a_secure_record_route_asks_for_it_too(wire: ManyWays, hop: str) -> None:
    alice = phone(wire, "TLS")
    dialog = call(alice, ECHO.replace("sips", "sip"), f"Record-Route: {hop}\n").answered()
    assert dialog.target.startswith("sips:") == hop.startswith("<sips:")


def test_12_1_1_a_subscription_and_what_it_tells(wire: ManyWays) -> None:
    alice = phone(wire, "TLS")
    watcher = Watcher(alice)
    watcher.uri = watcher.target = f"sips:1002@{DOMAIN}"
    watcher.remote = f"<{watcher.uri}>"
    assert watcher.subscribe().status == 200
    ours = "<sips:1002@192.0.2.1:5061>"
    assert watcher.answer["Contact"] == ours
    assert watcher.notified()["Contact"] == ours
    assert watcher.subscribe().status == 200  # to that Contact
    assert watcher.notified()["Contact"] == ours
    wire.restart()
    alice.flow.open = True
    wire.advance(3)
    assert watcher.notified()["Contact"] == ours


def test_12_1_1_a_plain_subscription_over_tls_stays_as_it_is(wire: ManyWays) -> None:
    watcher = Watcher(phone(wire, "TLS"))
    assert watcher.subscribe()["Contact"] == "<sip:1002@192.0.2.1:5061;transport=tls>"


@pytest.mark.parametrize("method", ["SUBSCRIBE", "PUBLISH"])
def test_5630_5_3_events_of_a_sips_user_want_tls(wire: ManyWays, method: str) -> None:
    alice = phone(wire, "UDP")
    alice.other_request(method, f"sips:1001@{DOMAIN}", extra="Event: presence\n")
    assert "sips" in str(alice.response(400))
