"""What is refused, and how: validation, passwords, requests to the server itself (RFC 3261 §16.3, §22, §11.2)."""

from __future__ import annotations

import pytest

from tests.services.conftest import World, registered
from tests.services.user_agents import Phone, new_branch, wire_bytes
from tests.services.wire import DOMAIN, SERVER, Wire
from tests.support.wire import challenge_fields, parameter

BOB = f"sip:1002@{DOMAIN}"


class TestValidation:
    def test_16_3_3_max_forwards_0_is_483(self, alice: Phone, bob: Phone) -> None:
        alice.other_request("INVITE", BOB, hops="Max-Forwards: 0\n")
        alice.response(483)
        bob.nothing()

    @pytest.mark.parametrize("hops", ["-1", "256", "1e2", "seventy", "70 70", "٧٠", "9999"])
    def test_20_22_broken_max_forwards_is_400(self, alice: Phone, hops: str) -> None:
        alice.other_request("INVITE", BOB, hops=f"Max-Forwards: {hops}\n")
        assert "Max-Forwards" in alice.response(400).start

    def test_16_3_5_proxy_require_is_420_with_unsupported(self, alice: Phone) -> None:
        alice.other_request("INVITE", BOB, extra="Proxy-Require: foo, bar\nProxy-Require: baz\n")
        assert alice.response(420)["Unsupported"] == "foo, bar, baz"

    def test_16_3_4_a_request_that_comes_back_unchanged_is_482(
        self, alice: Phone, bob: Phone
    ) -> None:
        """RFC 5393 §4.2: bob is a proxy that sends it back to us."""
        alice.call("1002", extra="")
        invite = bob.request("INVITE")
        before = {"uri": BOB, "via": invite.all("Via")}
        text = (
            f"INVITE {BOB} SIP/2.0\nVia: {bob.via()}\n"
            + "".join(f"Via: {via}\n" for via in before["via"])
            + f"From: {invite['From']}\nTo: {invite['To']}\nCall-ID: {invite['Call-ID']}\n"
            f"CSeq: {invite['CSeq']}\nMax-Forwards: 60\nContent-Length: 0\n\n"
        )
        bob.send(text)
        bob.response(482)

    def test_16_3_4_a_spiral_is_no_loop(self, alice: Phone, bob: Phone) -> None:
        """The Request-URI has changed on its way: it goes on to authentication."""
        alice.call("1002")
        invite = bob.request("INVITE")
        text = (
            f"INVITE sip:1003@{DOMAIN} SIP/2.0\nVia: {bob.via()}\n"
            + "".join(f"Via: {via}\n" for via in invite.all("Via"))
            + f"From: {invite['From']}\nTo: {invite['To']}\nCall-ID: {invite['Call-ID']}\n"
            f"CSeq: {invite['CSeq']}\nMax-Forwards: 60\nContent-Length: 0\n\n"
        )
        bob.send(text)
        bob.response(407)

    @pytest.mark.parametrize("uri", ["tel:+4312345", "mailto:x@y", "urn:service:sos"])
    def test_16_3_2_unknown_scheme_is_416(self, alice: Phone, uri: str) -> None:
        alice.other_request("OPTIONS", uri)
        alice.response(416)

    def test_16_3_2_an_endless_uri_is_414(self, alice: Phone) -> None:
        alice.other_request("OPTIONS", f"sip:{'9' * 3000}@{DOMAIN}")
        alice.response(414)

    def test_19_1_1_headers_in_the_request_uri_are_400(self, alice: Phone) -> None:
        """RFC 4475 §3.1.2.11: they must not appear in a forwarded request."""
        alice.authenticated("OPTIONS", "sip:x@203.0.113.9?Route=%3Csip:example.com%3E")
        alice.response(400)

    @pytest.mark.parametrize("branch", ["z9hG4bK", "old"])
    def test_17_2_3_requests_without_a_branch_of_their_own_are_told_apart(
        self, alice: Phone, bob: Phone, branch: str
    ) -> None:
        """RFC 4475 §3.2.1 and RFC 2543 peers: by Request-URI, tag, Call-ID, CSeq and Via."""
        for _ in range(2):
            call = alice.invite("1002")
            challenged = alice.response(407)
            call.ack_failure(challenged)
            call.authenticate_with(challenged)
            call.branch = branch
            call.send()
            alice.response(100)
            bob.incoming().ring()
            alice.response(180)
            call.send()  # again: absorbed by its own transaction
            alice.response(180)
        bob.nothing()


class TestPasswords:
    def test_22_3_without_credentials_it_is_407_with_md5_and_sha_256(self, alice: Phone) -> None:
        alice.invite("1002")
        challenges = [challenge_fields(c) for c in alice.response(407).all("Proxy-Authenticate")]
        assert [c["algorithm"] for c in challenges] == ["MD5", "SHA-256"]
        assert {c["realm"] for c in challenges} == {DOMAIN}

    def test_22_4_wrong_password_and_unknown_user_look_alike(self, alice: Phone) -> None:
        answers = []
        for user, password in (("1001", "wrong"), ("7777", "wrong")):
            call = alice.invite("1002")
            call.authenticate(user=user, password=password)
            answer = alice.response(407)
            call.ack_failure(answer)
            fields = [challenge_fields(c) for c in answer.all("Proxy-Authenticate")]
            answers.append([{k: v for k, v in f.items() if k != "nonce"} for f in fields])
            alice.nothing()
        assert answers[0] == answers[1]
        assert alice.wire.rows == {}
        assert alice.wire.core.counters()["credentials_wrong"] == 2

    def test_22_1_an_unknown_from_is_challenged_like_a_known_one(self, wire: Wire) -> None:
        stranger = Phone(wire, "7777", "198.51.100.99")
        stranger.invite("1002")
        assert stranger.response(407)["Proxy-Authenticate"]

    def test_from_must_be_the_authenticated_user(self, alice: Phone) -> None:
        call = alice.invite("1002")
        call.authenticate(user="1003")
        call.fails(403)
        alice.wire.beat()
        assert alice.wire.rows == {}

    def test_from_of_somebody_elses_domain_is_403_with_our_password_and_407_without(
        self, wire: Wire
    ) -> None:
        stranger = Phone(wire, "1001", "198.51.100.9", domain="elsewhere.test")
        call = stranger.invite(BOB)
        call.authenticate()
        call.fails(403)

    def test_19_1_1_the_scheme_of_from_may_be_in_capitals(self, alice: Phone, bob: Phone) -> None:
        call = alice.invite("1002")
        call.local = call.local.replace("<sip:", "<SIP:")
        call.authenticate()
        alice.response(100)
        bob.incoming()

    def test_8_2_7_the_challenge_is_stateless(self, alice: Phone) -> None:
        alice.invite("1002")
        assert alice.wire.transactions == 0

    def test_17_1_1_3_the_ack_of_a_stateless_answer_is_absorbed(
        self, alice: Phone, bob: Phone
    ) -> None:
        call = alice.invite("1002")
        before = len(alice.wire.sent)
        call.ack_failure(alice.response(407))
        assert len(alice.wire.sent) == before
        assert "stray_acks" not in alice.wire.core.counters()

    @pytest.mark.parametrize("from_the_phone", [True, False], ids=["bob's 486", "our own 404"])
    def test_17_1_1_3_an_ack_with_a_branch_of_its_own_still_ends_the_failure(
        self, alice: Phone, bob: Phone, from_the_phone: bool
    ) -> None:
        """Interop: found by Call-ID, number and To tag, or the failure would come for 32 s."""
        call = alice.call("1002" if from_the_phone else "1999")
        if from_the_phone:
            bob.incoming().reject(486)
        failure = alice.response(486 if from_the_phone else 404)
        call.branch = new_branch()
        call.ack_failure(failure)
        alice.wire.advance(40)
        alice.nothing()

    def test_17_2_an_ack_of_nothing_at_all_is_dropped(self, alice: Phone, bob: Phone) -> None:
        before = len(alice.wire.sent)
        alice.other_request("ACK", BOB, to=f"<{BOB}>;tag=nobody")
        assert len(alice.wire.sent) == before
        assert alice.wire.core.counters()["stray_acks"] == 1

    @pytest.mark.parametrize(
        "bad",
        [
            "Digest",
            "Digest username=",
            'Digest realm="pbx.test", nonce="x"',
            "Digest ,,,=,",
            "Basic eDp5",
        ],
    )
    def test_22_4_broken_credentials_are_400_or_challenged(self, alice: Phone, bad: str) -> None:
        alice.other_request("INVITE", BOB, extra=f"Proxy-Authorization: {bad}\n")
        assert alice.receive().status in (400, 407)


class TestServerItself:
    @pytest.mark.parametrize(
        "uri",
        [
            f"sip:{DOMAIN}",
            f"sip:{SERVER[0]}",
            f"sip:{SERVER[0]}:5060;transport=udp",
            f"SIP:{DOMAIN.upper()}",
        ],
    )
    def test_11_2_options_is_200_with_allow_and_without_password(
        self, alice: Phone, uri: str
    ) -> None:
        alice.other_request("OPTIONS", uri)
        answer = alice.response(200)
        assert "INVITE" in answer["Allow"]
        assert answer["Accept"] == "application/sdp"
        assert (answer["Accept-Encoding"], answer["Accept-Language"]) == ("identity", "en")
        assert answer["Supported"]
        assert answer.to_tag
        assert alice.wire.transactions == 0

    @pytest.mark.parametrize("method", ["INVITE", "REFER"])
    def test_8_2_1_other_methods_are_405_with_allow(self, alice: Phone, method: str) -> None:
        alice.other_request(method, f"sip:{DOMAIN}")
        assert "OPTIONS" in alice.response(405)["Allow"]

    def test_21_5_2_a_word_that_is_no_method_is_501_with_allow(self, alice: Phone) -> None:
        alice.other_request("FOO", f"sip:{DOMAIN}")
        assert "OPTIONS" in alice.response(501)["Allow"]

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ("Content-Type: application/sdp\n", 200),
            ("Content-Type: application/sdp;x=y\nContent-Encoding: identity\n", 200),
            ("Content-Type: text/plain\nContent-Disposition: render;handling=optional\n", 200),
            ("Content-Type: text/plain\n", 415),
            ("c: text/plain\n", 415),
            ("Content-Type: application/sdp\nContent-Encoding: gzip\n", 415),
            ("", 415),
            ("Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n", 493),
        ],
    )
    def test_8_2_3_a_body_that_is_not_understood_is_415_or_493(
        self, alice: Phone, headers: str, status: int
    ) -> None:
        alice.other_request("OPTIONS", f"sip:{DOMAIN}", extra=headers, body="v=0")
        answer = alice.response(status)
        if status == 415:
            assert answer["Accept"] == "application/sdp"
            assert answer["Accept-Encoding"] == "identity"

    @pytest.mark.parametrize("method", ["MESSAGE", "SUBSCRIBE", "PUBLISH"])
    def test_8_2_2_1_what_is_for_users_is_404_without_one(self, alice: Phone, method: str) -> None:
        alice.other_request(method, f"sip:{DOMAIN}")
        assert alice.response(404)

    def test_8_2_2_3_require_is_420(self, alice: Phone) -> None:
        alice.other_request("OPTIONS", f"sip:{DOMAIN}", extra="Require: 100rel, path\n")
        assert alice.response(420)["Unsupported"] == "100rel"

    def test_8_2_6_2_an_answer_repeats_via_from_to_call_id_and_cseq(self, alice: Phone) -> None:
        branch = alice.other_request(
            "OPTIONS", f"sip:{DOMAIN}", extra="Via: SIP/2.0/UDP a.b:1;branch=z9hG4bKx\nTimestamp: 1\n",
            call_id="abc", tag="t", cseq=77,
        )  # fmt: skip
        answer = alice.response(200)
        assert parameter(answer.all("Via")[0], "branch") == branch
        assert answer.all("Via")[1] == "SIP/2.0/UDP a.b:1;branch=z9hG4bKx"
        assert (answer["Call-ID"], answer["CSeq"]) == ("abc", "77 OPTIONS")
        assert answer["From"] == f"<{alice.aor}>;tag=t"
        assert answer["To"] == f"<sip:{DOMAIN}>;tag={answer.to_tag}"
        assert not answer["Timestamp"]

    def test_8_2_6_1_a_100_repeats_the_timestamp_and_adds_no_tag(
        self, alice: Phone, bob: Phone
    ) -> None:
        call = alice.invite("1002", extra="Timestamp: 54.2\n")
        call.authenticate()
        trying = alice.response(100)
        assert trying["Timestamp"] == "54.2"
        assert trying["To"] == f"<{call.uri}>"

    def test_options_to_a_user_are_the_users(self, alice: Phone, bob: Phone) -> None:
        alice.authenticated("OPTIONS", BOB)
        bob.request("OPTIONS")


class TestReplyPath:
    """§18.2.1, §18.2.2 and RFC 3581."""

    def ask(self, wire: Wire, via: str, host: str = "198.51.100.50", port: int = 7000) -> Phone:
        phone = Phone(wire, "9", host, port)
        wire.receive(
            wire_bytes(
                f"OPTIONS sip:{DOMAIN} SIP/2.0\nVia: {via}\nFrom: <sip:a@b>;tag=1\nTo: <sip:{DOMAIN}>\n"
                "Call-ID: c\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n"
            ),
            phone.flow,
        )
        return phone

    @pytest.mark.parametrize(
        "parameters",
        [
            ";branch=z9hG4bK1;rport",
            ";rport;branch=z9hG4bK1",
            ";branch=z9hG4bK1;alias;rport",
            " ; branch = z9hG4bK1 ; rport",
            ";RPORT;branch=z9hG4bK1",
            ";branch=z9hG4bK1;rport=",
        ],
    )
    def test_3581_4_rport_is_filled_in_and_the_answer_goes_to_the_source(
        self, wire: Wire, parameters: str
    ) -> None:
        phone = self.ask(wire, f"SIP/2.0/UDP 198.51.100.50:5060{parameters}")
        via = phone.response(200)["Via"].replace(" ", "")
        assert via.count("rport") == 1
        assert "rport=7000" in via
        assert "received=198.51.100.50" in via  # also when it is the same address

    def test_18_2_2_without_rport_the_answer_goes_to_the_vias_port(self, wire: Wire) -> None:
        at_via = Phone(wire, "9", "198.51.100.50", 5070)
        phone = self.ask(wire, "SIP/2.0/UDP 198.51.100.50:5070;branch=z9hG4bK1")
        phone.nothing()
        assert "received" not in at_via.response(200)["Via"]

    def test_18_2_2_without_any_port_it_is_5060(self, wire: Wire) -> None:
        at_via = Phone(wire, "9", "198.51.100.50", 5060)
        self.ask(wire, "SIP/2.0/UDP host.example;branch=z9hG4bK1").nothing()
        assert "received=198.51.100.50" in at_via.response(200)["Via"]

    def test_18_2_2_refusals_take_the_same_way(self, wire: Wire) -> None:
        at_via = Phone(wire, "9", "198.51.100.50", 5070)
        phone = Phone(wire, "9", "198.51.100.50", 7000)
        phone.rport = False
        phone.send(
            f"INVITE {BOB} SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.50:5070;branch=z9hG4bK1\n"
            "From: <sip:a@b>;tag=1\nTo: <sip:c@d>\nCall-ID: c\nCSeq: 1 INVITE\nMax-Forwards: 0\n"
            "Content-Length: 0\n\n"
        )
        phone.nothing()
        at_via.response(483)

    def test_18_2_1_received_when_the_host_is_another(self, wire: Wire) -> None:
        phone = self.ask(wire, "SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK1;rport")
        via = phone.response(200)["Via"]
        assert via.startswith("SIP/2.0/UDP 10.0.0.7:5060;")
        assert "received=198.51.100.50" in via

    def test_7_3_1_only_the_first_via_of_a_line_is_touched(self, wire: Wire) -> None:
        phone = self.ask(
            wire,
            "SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK1;rport , SIP/2.0/UDP x:1;branch=z9hG4bK2;rport",
        )
        first, _, second = phone.response(200)["Via"].partition(",")
        assert "rport=7000" in first
        assert second.strip() == "SIP/2.0/UDP x:1;branch=z9hG4bK2;rport"

    @pytest.mark.parametrize(
        "via",
        ["", "nonsense", "SIP/2.0/UDP", "SIP/2.0/UDP h:99999;branch=z9hG4bK1", "SIP/2.0/UDP h:1 x"],
    )
    def test_20_42_a_broken_via_is_400_to_the_source(self, wire: Wire, via: str) -> None:
        assert self.ask(wire, via or " ").inbox[0].status == 400 or via == ""

    def test_18_2_2_over_tcp_the_answer_takes_the_connection(self, world: World) -> None:
        wire = world()
        alice = registered(wire, "1001", "198.51.100.1", 40001, transport="TCP")
        alice.rport = False
        alice.other_request("OPTIONS", f"sip:{DOMAIN}")
        alice.response(200)

    def test_17_2_3_an_rfc_2543_peer_without_the_magic_cookie(
        self, alice: Phone, bob: Phone
    ) -> None:
        call = alice.invite("1002")
        call.authenticate()
        alice.inbox.clear()
        bob.inbox.clear()
        old = "old-style-1"
        uri = f"sip:1002@{DOMAIN}"
        branch = alice.authenticated("OPTIONS", uri)
        bob.request("OPTIONS")
        assert branch != old
        for _ in range(2):
            alice.other_request("OPTIONS", uri, branch=old, call_id="2543", tag="t")
            alice.response(407)
