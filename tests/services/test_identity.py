"""Who calls, and to whom that is told (RFC 3323, RFC 3325), and the session's own name (RFC 7989)."""

from __future__ import annotations

import pytest

from sipengine.api import Domain
from tests.services.conftest import World, registered
from tests.services.user_agents import OutgoingCall, Phone
from tests.services.wire import DOMAIN, Wire

ALICE = f'"Alice" <sip:1001@{DOMAIN}>'
TRUSTED = "198.51.100.9"


@pytest.fixture
def asserting(world: World) -> Wire:
    return world(domains=(Domain(DOMAIN, assert_identity=True, trusted=(TRUSTED,)),))


def anonymous_call(phone: Phone, called: str, extra: str = "Privacy: id\n") -> OutgoingCall:
    """A call whose From hides its owner (RFC 3323 §4.1.1.3)."""
    call = OutgoingCall(phone, f"sip:{called}@{DOMAIN}", extra=extra)
    call.local = f'"Anonymous" <sip:anonymous@anonymous.invalid>;tag={call.tag}'
    call.send()
    call.authenticate()
    return call


def test_3325_5_what_a_phone_asserts_is_taken_off(alice: Phone, bob: Phone) -> None:
    alice.call("1002", extra="P-Asserted-Identity: <sip:1009@pbx.test>\n")
    assert bob.request("INVITE").all("P-Asserted-Identity") == []


def test_3325_5_and_in_a_dialog_too(alice: Phone, bob: Phone) -> None:
    call = alice.call("1002")
    bob.incoming().answer()
    dialog = call.answered()
    bob.request("ACK")
    dialog.request("INVITE", extra="P-Asserted-Identity: <sip:1009@pbx.test>\n")
    assert bob.request("INVITE").all("P-Asserted-Identity") == []


def test_3325_nothing_is_added_to_a_plain_call(alice: Phone, bob: Phone) -> None:
    alice.call("1002")
    assert bob.request("INVITE").all("P-Asserted-Identity") == []


def test_3325_9_1_the_settings_ask_for_the_authenticated_identity(asserting: Wire) -> None:
    alice = registered(asserting, "1001", "198.51.100.1")
    bob = registered(asserting, "1002", "198.51.100.2")
    alice.call("1002", extra="P-Asserted-Identity: <sip:1009@pbx.test>\n")
    assert bob.request("INVITE").all("P-Asserted-Identity") == [ALICE]


def test_3325_7_who_asks_for_privacy_is_named_to_trusted_hosts_only(asserting: Wire) -> None:
    alice = registered(asserting, "1001", "198.51.100.1")
    bob = registered(asserting, "1002", "198.51.100.2")
    gate = Phone(asserting, "gate", TRUSTED)
    alice.call("1002", extra="Privacy: id\n")
    invite = bob.request("INVITE")
    assert invite.all("P-Asserted-Identity") == []
    assert invite["Privacy"] == "id"
    alice.inbox.clear()
    alice.call(f"sip:0043@{TRUSTED}", extra="Privacy: id\n")
    assert gate.request("INVITE").all("P-Asserted-Identity") == [ALICE]


def test_3323_4_1_1_3_an_anonymous_caller_gives_its_password_and_is_hidden(
    wire: Wire, alice: Phone, bob: Phone
) -> None:
    anonymous_call(alice, "1002", f"Privacy: id\nP-Preferred-Identity: {ALICE}\n")
    invite = bob.request("INVITE")
    assert "anonymous.invalid" in invite["From"]
    for name in ("P-Preferred-Identity", "P-Asserted-Identity", "Proxy-Authorization"):
        assert invite.all(name) == []
    row = wire.row
    assert (row.caller, row.caller_name) == (f"1001@{DOMAIN}", "Alice")
    assert "The caller withheld name and number from the called party." in row.decision


def test_3323_a_stranger_does_not_become_welcome_by_hiding(wire: Wire, bob: Phone) -> None:
    stranger = Phone(wire, "1009", "203.0.113.5")
    call = OutgoingCall(stranger, f"sip:1002@{DOMAIN}")
    call.local = f"<sip:anonymous@anonymous.invalid>;tag={call.tag}"
    call.send()
    call.fails(407)
    bob.nothing()


def test_3325_9_2_a_hint_at_somebody_elses_identity_is_not_followed(asserting: Wire) -> None:
    alice = registered(asserting, "1001", "198.51.100.1")
    bob = registered(asserting, "1002", "198.51.100.2")
    anonymous_call(alice, "1002", f"P-Preferred-Identity: <sip:1003@{DOMAIN}>\n")
    assert bob.request("INVITE").all("P-Asserted-Identity") == [ALICE]


def test_3323_5_what_cannot_be_hidden_and_must_be_is_refused(
    wire: Wire, alice: Phone, bob: Phone
) -> None:
    call = alice.call("1002", extra="Privacy: header;critical\n")
    call.fails(500)
    bob.nothing()
    assert wire.rows == {}


def test_3323_none_and_id_are_done(alice: Phone, bob: Phone) -> None:
    alice.call("1002", extra="Privacy: id;critical\n")
    assert bob.request("INVITE")["Privacy"] == "id;critical"


UUID = "ab30317f1a784dc48ff824d0d3715d86"


def test_7989_7_the_session_keeps_its_name_on_all_we_send(
    wire: Wire, alice: Phone, bob: Phone
) -> None:
    name = f"Session-ID: {UUID};remote=00000000000000000000000000000000\n"
    call = alice.call("1002", extra=name)
    incoming = bob.incoming()
    assert incoming.invite["Session-ID"].startswith(UUID)
    incoming.ring()
    alice.response(180)
    call.cancel(name)
    assert alice.response(200)["Session-ID"] == f"{'0' * 32};remote={UUID}"
    assert bob.request("CANCEL")["Session-ID"].startswith(UUID)
    assert incoming.reject(487)["Session-ID"].startswith(UUID)
    assert call.fails(487)["Session-ID"]
    assert any(UUID in line for line in wire.row.decision)


GATE = "Gate <sip:+431234@elsewhere.example>"


def at_gate(wire: Wire) -> Phone:
    """A trusted server, which calls as extension 1001."""
    return registered(wire, "1001", TRUSTED)


def test_3325_7_what_a_trusted_server_asserts_is_not_for_everybody_either(asserting: Wire) -> None:
    bob = registered(asserting, "1002", "198.51.100.2")
    extra = f"P-Asserted-Identity: {GATE}\n"
    gate = at_gate(asserting)
    gate.call("1002", extra=extra)
    assert bob.request("INVITE").all("P-Asserted-Identity") == [GATE]
    gate.inbox.clear()
    gate.call("1002", extra=f"{extra}Privacy: id\n")
    assert bob.request("INVITE").all("P-Asserted-Identity") == []
    gate.inbox.clear()
    gate.call(f"sip:1@{TRUSTED}", extra=f"{extra}P-Asserted-Identity: <tel:+431>\nPrivacy: id\n")
    invite = next(message for message in gate.inbox if message.method == "INVITE")
    assert invite.all("P-Asserted-Identity") == [GATE, "<tel:+431>"]


@pytest.mark.parametrize(
    ("method", "extra", "told"),
    [
        ("MESSAGE", "", [ALICE]),
        ("OPTIONS", "", [ALICE]),
        ("REFER", "P-Asserted-Identity: <sip:1009@pbx.test>\n", [ALICE]),
        ("MESSAGE", "Privacy: id\n", []),
        ("MESSAGE", "Privacy: none\n", [ALICE]),
    ],
)
def test_3325_9_1_other_requests_name_their_sender_too(
    asserting: Wire, method: str, extra: str, told: list[str]
) -> None:
    alice = registered(asserting, "1001", "198.51.100.1")
    bob = registered(asserting, "1002", "198.51.100.2")
    alice.authenticated(method, f"sip:1002@{DOMAIN}", extra=f"{extra}Refer-To: <sip:1@x>\n")
    assert bob.request(method).all("P-Asserted-Identity") == told


def test_3325_nothing_is_added_to_a_message_where_nothing_asks_for_it(
    alice: Phone, bob: Phone
) -> None:
    alice.authenticated("MESSAGE", f"sip:1002@{DOMAIN}")
    assert bob.request("MESSAGE").all("P-Asserted-Identity") == []
