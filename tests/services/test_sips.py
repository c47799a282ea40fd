"""Requests to a `sips:` URI: TLS on every hop, the last one included (RFC 5630)."""

from __future__ import annotations

import pytest

from tests.services.conftest import person
from tests.services.many_ways import AnyPhone, ManyWays
from tests.services.user_agents import OutgoingCall, uri_of
from tests.services.wire import snapshot

URI = "sips:1002@pbx.test"
WAYS = {"UDP": 5070, "TCP": 5071, "TLS": 5072, "WS": 5073, "WSS": 5074}


@pytest.fixture
def wire() -> ManyWays:
    forwarding = person("1003", "Carol", forward_no_answer="1002")
    return ManyWays(snapshot([person("1001", "Alice"), person("1002", "Bob"), forwarding]))


def phone(wire: ManyWays, number: str, transport: str, host: str) -> AnyPhone:
    made = AnyPhone(wire, number, host, WAYS[transport], transport=transport)
    assert made.register().status == 200
    return made


@pytest.fixture
def alice(wire: ManyWays) -> AnyPhone:
    return phone(wire, "1001", "TLS", "198.51.100.1")


def call(alice: AnyPhone, uri: str = URI) -> OutgoingCall:
    made = OutgoingCall(alice, uri)
    made.send()
    made.authenticate()
    return made


class TestRfc5630Section5_3:
    def test_it_goes_to_a_phone_reached_by_tls_under_a_sips_uri(
        self, wire: ManyWays, alice: AnyPhone
    ) -> None:
        bob = phone(wire, "1002", "TLS", "198.51.100.2")
        outgoing = call(alice)
        alice.response(100)
        incoming = bob.incoming()
        assert incoming.invite.uri == f"sips:1002@198.51.100.2:{WAYS['TLS']}"
        (route,) = incoming.invite.all("Record-Route")
        assert route.startswith("<sips:192.0.2.1:5061;lr;f=")
        incoming.answer()
        dialog = outgoing.answered()
        assert dialog.routes[0].startswith("<sips:")
        bob.request("ACK")
        dialog.request("BYE")
        bob.reply(bob.request("BYE"), 200, "OK")
        alice.response(200)

    def test_a_restart_knows_the_dialog_by_its_sips_route(
        self, wire: ManyWays, alice: AnyPhone
    ) -> None:
        bob = phone(wire, "1002", "TLS", "198.51.100.2")
        outgoing = call(alice)
        bob.incoming().answer()
        alice.response(100)
        dialog = outgoing.answered()
        bob.request("ACK")
        wire.restart()
        for each in (alice, bob):
            each.reconnect(each.port)
        dialog.request("BYE")
        assert bob.request("BYE")

    @pytest.mark.parametrize(("transport", "rings"), [("WSS", True), ("WS", False)])
    def test_a_browser_counts_if_its_websocket_is_secure(
        self, wire: ManyWays, alice: AnyPhone, transport: str, rings: bool
    ) -> None:
        bob = phone(wire, "1002", transport, "198.51.100.2")
        outgoing = call(alice)
        if rings:
            invite = bob.incoming().invite
            assert invite.uri == "sips:1002@1002.invalid;transport=ws"
            towards_bob, towards_alice = invite.all("Record-Route")
            assert towards_bob.startswith("<sips:192.0.2.1:8443;lr;transport=ws;f=")
            assert towards_alice.startswith("<sips:192.0.2.1:5061;lr;f=")
        else:
            outgoing.fails(480)

    def test_of_two_phones_only_the_secure_one_rings(self, wire: ManyWays, alice: AnyPhone) -> None:
        plain = phone(wire, "1002", "UDP", "198.51.100.2")
        secure = phone(wire, "1002", "TLS", "198.51.100.3")
        call(alice)
        assert secure.incoming()
        plain.nothing()

    @pytest.mark.parametrize("transport", ["UDP", "TCP"])
    def test_without_a_secure_phone_it_is_480_with_the_warning_380(
        self, wire: ManyWays, alice: AnyPhone, transport: str
    ) -> None:
        bob = phone(wire, "1002", transport, "198.51.100.2")
        refused = call(alice).fails(480)
        assert refused["Warning"] == '380 branchline "SIPS Not Allowed"'
        bob.nothing()
        assert wire.row.reason.endswith("no phone there is reached by TLS.")

    def test_forwards_are_held_to_it_too(self, wire: ManyWays, alice: AnyPhone) -> None:
        carol = phone(wire, "1003", "TLS", "198.51.100.3")
        bob = phone(wire, "1002", "UDP", "198.51.100.2")
        outgoing = call(alice, "sips:1003@pbx.test")
        alice.response(100)
        carol.incoming().reject(480)
        outgoing.fails(480)
        bob.nothing()

    def test_other_requests_are_treated_alike(self, wire: ManyWays, alice: AnyPhone) -> None:
        bob = phone(wire, "1002", "UDP", "198.51.100.2")
        alice.authenticated("OPTIONS", URI)
        assert alice.response(480)["Warning"].startswith("380 ")
        alice.authenticated("MESSAGE", URI, extra="Content-Type: text/plain\n", body="hi")
        alice.response(480)
        bob.nothing()
        secure = phone(wire, "1002", "TLS", "198.51.100.3")
        alice.authenticated("OPTIONS", URI)
        assert secure.request("OPTIONS").uri.startswith("sips:1002@")

    def test_a_sip_request_reaches_a_sips_contact_by_a_sip_uri(
        self, wire: ManyWays, alice: AnyPhone
    ) -> None:
        bob = AnyPhone(wire, "1002", "198.51.100.2", WAYS["TLS"], transport="TLS")
        contact = f"<sips:1002@198.51.100.2:{WAYS['TLS']}>"
        assert bob.register(contact=contact, scheme="sips").status == 200
        call(alice, "sip:1002@pbx.test")
        invite = bob.incoming().invite
        assert invite.uri == f"sip:1002@198.51.100.2:{WAYS['TLS']}"
        assert uri_of(invite.all("Record-Route")[0]).startswith("sip:")

    def test_one_that_did_not_come_by_tls_promises_what_is_not_so(self, wire: ManyWays) -> None:
        plain = phone(wire, "1001", "UDP", "198.51.100.9")
        outgoing = OutgoingCall(plain, URI)
        outgoing.send()
        outgoing.authenticate()
        outgoing.fails(400)


SIPS_CONTACT = f"<sips:1002@198.51.100.2:{WAYS['TLS']}>"


class TestRfc5630Section5_2:
    """The registrar: what a `sips:` contact promises must hold on every hop."""

    def over(self, wire: ManyWays, transport: str) -> AnyPhone:
        return AnyPhone(wire, "1002", "198.51.100.2", WAYS[transport], transport=transport)

    def test_a_sips_contact_is_taken_by_tls_and_serves_both_schemes(
        self, wire: ManyWays, alice: AnyPhone
    ) -> None:
        bob = self.over(wire, "TLS")
        answer = bob.register(contact=SIPS_CONTACT, scheme="sips")
        assert answer.status == 200
        assert answer["Contact"].startswith(SIPS_CONTACT)
        assert (answer["From"].partition(";")[0], answer["To"].partition(";")[0]) == (
            "<sip:1002@pbx.test>", "<sip:1002@pbx.test>",  # From and To may be sip:
        )  # fmt: skip
        for scheme in ("sips", "sip"):
            outgoing = call(alice, f"{scheme}:1002@pbx.test")
            incoming = bob.incoming()
            assert incoming.invite.uri == f"{scheme}:1002@198.51.100.2:{WAYS['TLS']}"
            alice.inbox.clear()
            incoming.reject(486)
            outgoing.fails(486)

    @pytest.mark.parametrize(
        ("transport", "scheme", "contact", "extra", "words"),
        [
            ("TLS", "sip", SIPS_CONTACT, "", "needs a sips: Request-URI"),
            ("TLS", "sip", SIPS_CONTACT.replace("sips", "SIPS"), "", "needs a sips: Request-URI"),
            ("UDP", "sip", SIPS_CONTACT, "", "needs a sips: Request-URI"),
            ("UDP", "sips", SIPS_CONTACT, "", "did not come by TLS"),
            ("TCP", "sips", SIPS_CONTACT, "", "did not come by TLS"),
            ("WS", "sips", SIPS_CONTACT, "", "did not come by TLS"),
            ("UDP", "sips", "", "", "did not come by TLS"),
            ("TLS", "sips", SIPS_CONTACT, "Path: <sip:203.0.113.1;lr>\n", "needs a sips: Path"),
            ("TLS", "sips", SIPS_CONTACT,
             "Path: <sips:203.0.113.1;lr>, <sip:203.0.113.2;lr>\n", "needs a sips: Path"),
            ("TLS", "sips", f"{SIPS_CONTACT}, {SIPS_CONTACT.replace('sips', 'sip')}", "",
             "both with sip: and sips:"),
            ("TLS", "sips", f"<sip:1002@198.51.100.2:5072;transport=tls>, {SIPS_CONTACT}", "",
             "both with sip: and sips:"),
        ],
    )  # fmt: skip
    def test_what_is_not_sips_all_the_way_is_400(
        self, wire: ManyWays, transport: str, scheme: str, contact: str, extra: str, words: str
    ) -> None:
        phone = self.over(wire, transport)
        refused = phone.register(contact=contact, scheme=scheme, extra=extra)
        assert refused.status == 400
        assert words in refused.start
        assert wire.core.counters()["bindings_now"] == 0

    def test_a_refresh_by_another_way_cannot_take_a_sips_contact_along(
        self, wire: ManyWays, alice: AnyPhone
    ) -> None:
        secure = self.over(wire, "TLS")
        assert secure.register(contact=SIPS_CONTACT, scheme="sips").status == 200
        plain = self.over(wire, "UDP")
        assert plain.register(contact=SIPS_CONTACT).status == 400
        call(alice)
        assert secure.incoming()
        plain.nothing()

    @pytest.mark.parametrize("transport", ["TLS", "WSS"])
    def test_a_sip_contact_may_come_with_a_sips_request_uri(
        self, wire: ManyWays, transport: str
    ) -> None:
        assert self.over(wire, transport).register(scheme="sips").status == 200

    def test_with_a_sips_path_it_is_taken(self, wire: ManyWays) -> None:
        path = "Path: <sips:203.0.113.1;lr>\nSupported: path\n"
        answer = self.over(wire, "TLS").register(contact=SIPS_CONTACT, scheme="sips", extra=path)
        assert (answer.status, answer["Path"]) == (200, "<sips:203.0.113.1;lr>")


def test_5630_5_1_1_1_of_the_two_schemes_the_later_contact_replaces_the_earlier(
    wire: ManyWays,
) -> None:
    bob = AnyPhone(wire, "1002", "198.51.100.2", WAYS["TLS"], transport="TLS")
    assert bob.register().status == 200
    upgraded = bob.register(contact=SIPS_CONTACT, scheme="sips")
    assert [uri_of(value) for value in upgraded.all("Contact")] == [uri_of(SIPS_CONTACT)]
    downgraded = bob.register()
    assert [uri_of(value) for value in downgraded.all("Contact")] == [uri_of(bob.contact)]
