"""What the proxy changes in a message that it forwards, and what it leaves (RFC 3261 §16.6, §16.7)."""

from __future__ import annotations

import pytest

from tests.services.conftest import World, registered
from tests.services.user_agents import SDP, Dialog, Phone
from tests.services.wire import DOMAIN, SERVER, Wire
from tests.support.wire import parameter, uri_of

OUR_VIA = f"SIP/2.0/UDP {SERVER[0]}:{SERVER[1]};branch=z9hG4bK"


def talk(caller: Phone, callee: Phone) -> tuple[Dialog, Dialog]:
    """A call that is answered and acknowledged; both sides' dialogs."""
    call = caller.call(callee.number)
    incoming = callee.incoming()
    theirs = incoming.answer()
    mine = call.answered()
    callee.request("ACK")
    return mine, theirs


class TestRequest:
    def test_16_6_1_everything_else_stays_as_it_came(self, alice: Phone, bob: Phone) -> None:
        odd = 'X-Odd:   two  blanks , and;a="comma, here"  \nsubject : hello\ns2: \n'
        call = alice.call("1002", extra=odd)
        invite = bob.request("INVITE")
        ours = ("Via:", "Record-Route:", "Max-Forwards:", "Proxy-Authorization:")
        head, _, body = call.text.partition("\n\n")
        came = [line for line in head.split("\n")[1:] if not line.startswith(ours)]
        sent = bob.wire.sent[-1][1].decode().partition("\r\n\r\n")
        went = [line for line in sent[0].split("\r\n")[1:] if not line.startswith(ours)]
        assert went == came
        assert (invite["Call-ID"], sent[2]) == (call.call_id, body)

    @pytest.mark.parametrize(
        ("more", "left"),
        [(";method=BYE", ""), (";a=1;method=BYE;b=2", ";a=1;b=2"), (";method=BYE?X=y", ""),
         (";b;method=BYE?X=y", ";b"), ("?", ""),
         (";x=a;method2=b", ";x=a;method2=b")],
    )  # fmt: skip
    def test_16_6_2_what_a_request_uri_may_not_have_is_taken_out(
        self, wire: Wire, alice: Phone, more: str, left: str
    ) -> None:
        """RFC 3261 §19.1.1: neither `method` nor headers."""
        bob = Phone(wire, "1002", "198.51.100.2")
        assert bob.register(contact=f"<{uri_of(bob.contact)}{more}>").status == 200
        alice.call("1002")
        assert bob.request("INVITE").uri == uri_of(bob.contact) + left

    def test_16_6_2_request_uri_is_the_registered_contact(self, alice: Phone, bob: Phone) -> None:
        alice.call("1002")
        assert bob.request("INVITE").uri == uri_of(bob.contact)

    @pytest.mark.parametrize(
        ("before", "after"), [("70", "69"), ("1", "0"), ("255", "254"), ("", "70")]
    )
    def test_16_6_3_max_forwards_goes_down_by_one_or_becomes_70(
        self, alice: Phone, bob: Phone, before: str, after: str
    ) -> None:
        alice.call("1002", hops=before)
        assert bob.request("INVITE").all("Max-Forwards") == [after]

    def test_16_6_4_one_record_route_of_ours_with_lr(self, alice: Phone, bob: Phone) -> None:
        alice.call("1002")
        routes = bob.request("INVITE").all("Record-Route")
        assert len(routes) == 1
        assert routes[0].startswith(f"<sip:{SERVER[0]}:{SERVER[1]};lr")

    def test_16_6_4_record_route_stands_above_those_of_proxies_before_us(
        self, alice: Phone, bob: Phone
    ) -> None:
        alice.call("1002", extra="Record-Route: <sip:edge.example;lr>\n")
        routes = bob.request("INVITE").all("Record-Route")
        assert SERVER[0] in routes[0]
        assert routes[1:] == ["<sip:edge.example;lr>"]

    def test_16_6_8_our_via_is_on_top_with_a_branch_of_its_own(
        self, alice: Phone, bob: Phone
    ) -> None:
        first = alice.call("1002")
        vias = bob.request("INVITE").all("Via")
        assert vias[0].startswith(OUR_VIA)
        assert len(vias) == 2
        assert parameter(vias[1], "branch") == first.branch
        alice.call("1002")
        again = bob.request("INVITE").all("Via")
        assert parameter(again[0], "branch") != parameter(vias[0], "branch")

    def test_16_6_6_preloaded_route_to_us_is_taken_off_before_forwarding(
        self, alice: Phone, bob: Phone
    ) -> None:
        """§16.4; baresip and Linphone with an outbound proxy send this in every request."""
        alice.call("1002", extra=f"Route: <sip:{SERVER[0]}:{SERVER[1]};transport=udp;lr>\n")
        assert bob.request("INVITE").all("Route") == []

    def test_22_3_credentials_for_our_realm_are_taken_out_and_others_stay(
        self, alice: Phone, bob: Phone
    ) -> None:
        foreign = (
            'Digest username="x", realm="elsewhere.test", nonce="n", uri="sip:x", response="r"'
        )
        alice.call("1002", extra=f"Proxy-Authorization: {foreign}\n")
        assert bob.request("INVITE").all("Proxy-Authorization") == [foreign]

    def test_22_3_credentials_do_not_reach_the_callee_with_the_ack_or_bye_either(
        self, alice: Phone, bob: Phone
    ) -> None:
        """§22.1 has callers repeat them in the ACK; who has a response can try passwords on it."""
        call = alice.call("1002")
        bob.incoming().answer()
        dialog = call.answered(acknowledge=False)
        dialog.ack(extra=call.authorization)
        assert bob.request("ACK").all("Proxy-Authorization") == []
        dialog.request("BYE", extra=call.authorization)
        assert bob.request("BYE").all("Proxy-Authorization") == []

    def test_7_4_body_is_byte_identical(self, alice: Phone, bob: Phone) -> None:
        body = SDP.format(host="h") + "a=x:\x00\x7f\r\n\r\n\r\ntail"
        alice.call("1002", body=body)
        assert bob.request("INVITE").body == body

    def test_20_14_a_stream_gets_a_content_length_that_the_datagram_lacked(
        self, world: World
    ) -> None:
        wire = world()
        alice = registered(wire, "1001", "198.51.100.1")
        bob = registered(wire, "1002", "198.51.100.2", 40000, transport="TCP")
        call = alice.invite("1002")
        call.length = False
        call.authenticate()
        invite = bob.request("INVITE")
        assert invite["Content-Length"] == str(len(call.body))
        assert invite.body == call.body

    @pytest.mark.parametrize("method", ["MESSAGE", "OPTIONS", "REFER", "NEWMETHOD", "INFO"])
    def test_16_unknown_methods_are_forwarded_like_known_ones(
        self, alice: Phone, bob: Phone, method: str
    ) -> None:
        alice.authenticated(method, f"sip:1002@{DOMAIN}", body="hello")
        request = bob.request(method)
        assert request.body == "hello"
        bob.reply(request, 200, "OK", tag="b")
        assert alice.response(200)["CSeq"] == f"2 {method}"

    def test_16_6_4_a_message_has_no_use_for_a_record_route(self, alice: Phone, bob: Phone) -> None:
        alice.authenticated("MESSAGE", f"sip:1002@{DOMAIN}")
        assert bob.request("MESSAGE").all("Record-Route") == []


class TestResponse:
    def test_16_7_3_our_via_is_taken_off_and_the_rest_stays(self, alice: Phone, bob: Phone) -> None:
        alice.call("1002")
        invite = bob.request("INVITE")
        bob.reply(invite, 183, "Session  Progress", tag="b", extra="X-A: 1\nx-a:2", body="early")
        response = alice.response(183)
        assert response.start == "SIP/2.0 183 Session  Progress"
        assert response.all("Via") == invite.all("Via")[1:]
        assert response.all("X-A") == ["1", "2"]
        assert response.body == "early"
        assert response.all("Record-Route") == invite.all("Record-Route")

    def test_7_3_vias_in_one_line_are_the_same_as_in_two(self, alice: Phone, bob: Phone) -> None:
        alice.call("1002")
        invite = bob.request("INVITE")
        text = (
            f"SIP/2.0 180 Ringing\nv: {', '.join(invite.all('Via'))}\nf: {invite['From']}\n"
            f"t: {invite['To']};tag=b\ni: {invite['Call-ID']}\nCSEQ: {invite['CSeq']}\nl: 0\n\n"
        )
        bob.send(text)
        assert alice.response(180).all("Via") == invite.all("Via")[1:]

    def test_7_3_1_folded_headers_before_the_via(self, alice: Phone, bob: Phone) -> None:
        alice.call("1002")
        invite = bob.request("INVITE")
        ours, theirs = invite.all("Via")
        bob.send(
            f"SIP/2.0 180 Ringing\nf: {invite['From']}\nt: {invite['To']}\n ;tag=b\n"
            f"VIA:\n {ours}\nVia: {theirs}\ni: {invite['Call-ID']}\nCSeq: {invite['CSeq']}\nl: 0\n\n"
        )
        assert alice.response(180).all("Via") == [theirs]

    def test_16_7_5_a_100_is_not_forwarded(self, alice: Phone, bob: Phone) -> None:
        alice.call("1002")
        bob.reply(bob.request("INVITE"), 100, "Trying")
        alice.nothing()

    def test_18_1_2_a_response_of_no_request_of_ours_is_dropped(
        self, wire: Wire, bob: Phone
    ) -> None:
        before = len(wire.sent)
        bob.send(
            f"SIP/2.0 200 OK\nVia: {OUR_VIA}xyz\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK1\n"
            "From: <sip:a@b>;tag=1\nTo: <sip:b@b>;tag=2\nCall-ID: c\nCSeq: 1 INVITE\nContent-Length: 0\n\n"
        )
        assert wire.sent[before:] == []
        assert wire.core.counters()["stray_responses"] == 1

    def test_18_3_trailing_bytes_of_a_datagram_do_not_reach_a_stream(self, world: World) -> None:
        """A phone could slip a second message into its peer's connection otherwise."""
        wire = world()
        alice = registered(wire, "1001", "198.51.100.1", 40000, transport="TCP")
        bob = registered(wire, "1002", "198.51.100.2")
        alice.call("1002")
        incoming = bob.incoming()
        before = len(wire.sent)
        lines = [f"SIP/2.0 180 Ringing\nVia: {incoming.invite.all('Via')[0]}"]
        lines += [f"Via: {incoming.invite.all('Via')[1]}", f"From: {incoming.invite['From']}"]
        lines += [f"To: {incoming.invite['To']};tag=b", f"Call-ID: {incoming.invite['Call-ID']}"]
        lines += [f"CSeq: {incoming.invite['CSeq']}", "Content-Length: 0", "", ""]
        bob.send("\n".join(lines) + "BYE sip:1001@h SIP/2.0\nX: y\n\n")
        sent = [data for flow, data in wire.sent[before:] if flow is alice.flow]
        assert len(sent) == 1
        assert sent[0].endswith(b"Content-Length: 0\r\n\r\n")

    def test_18_3_a_response_without_length_gets_one_on_a_stream(self, world: World) -> None:
        wire = world()
        alice = registered(wire, "1001", "198.51.100.1", 40000, transport="TCP")
        bob = registered(wire, "1002", "198.51.100.2")
        alice.call("1002")
        invite = bob.request("INVITE")
        vias = "".join(f"Via: {via}\n" for via in invite.all("Via"))
        bob.send(
            f"SIP/2.0 180 Ringing\n{vias}From: {invite['From']}\nTo: {invite['To']};tag=b\n"
            f"Call-ID: {invite['Call-ID']}\nCSeq: {invite['CSeq']}\n\nbody"
        )
        response = alice.response(180)
        assert response["Content-Length"] == "4"
        assert response.body == "body"

    def test_18_3_a_truncated_response_is_discarded(self, alice: Phone, bob: Phone) -> None:
        alice.call("1002")
        incoming = bob.incoming()
        bob.reply(incoming.invite, 180, "Ringing", tag="b", body="12345")
        whole = alice.wire.sent[-1][1]
        assert b"12345" in whole
        alice.inbox.clear()
        vias = "".join(f"Via: {via}\n" for via in incoming.invite.all("Via"))
        for text in (
            f"SIP/2.0 183 Ringing\n{vias}From: {incoming.invite['From']}\n",
            f"SIP/2.0 183 Ringing\n{vias}From: {incoming.invite['From']}\nTo: {incoming.invite['To']};tag=b\n"
            f"Call-ID: x\nCSeq: {incoming.invite['CSeq']}\nContent-Length: 10\n\n12345",
        ):
            bob.send(text)
            alice.nothing()

    def test_16_7_3_a_response_with_no_via_but_ours_is_for_nobody(
        self, alice: Phone, bob: Phone
    ) -> None:
        alice.call("1002")
        invite = bob.request("INVITE")
        for status in (302, 401, 486):
            bob.send(
                f"SIP/2.0 {status} X\nVia: {invite.all('Via')[0]}\nFrom: {invite['From']}\n"
                f"To: {invite['To']};tag=b\nCall-ID: {invite['Call-ID']}\nCSeq: {invite['CSeq']}\n"
                "Content-Length: 0\n\n"
            )
        alice.nothing()
        bob.nothing()

    def test_9_1_a_failure_of_our_cancel_ends_its_retransmission(
        self, alice: Phone, bob: Phone
    ) -> None:
        """Its only Via is ours."""
        call = alice.call("1002")
        bob.incoming().ring()
        alice.response(180)
        call.cancel()
        bob.reply(bob.request("CANCEL"), 481, tag="b")
        bob.wire.advance(10)
        bob.nothing()

    def test_18_3_a_length_that_fits_by_chance_without_an_empty_line(
        self, alice: Phone, bob: Phone
    ) -> None:
        alice.call("1002")
        invite = bob.request("INVITE")
        vias = "".join(f"Via: {via}\r\n" for via in invite.all("Via"))
        head = f"SIP/2.0 180 X\r\n{vias}X: y\r\nContent-Length: "
        for total in range(len(head), len(head) + 10):
            bob.send((head + str(total)).encode())
            bob.send((head + str(total) + "\r\n").encode())
        alice.nothing()
