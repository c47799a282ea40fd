"""Calls whose media a gateway carries: when it is asked, what for, and what becomes of its answers."""

from __future__ import annotations

import pytest

from tests.services.conftest import registered
from tests.services.media.anchored import FIGURES, SRTP, TYPE, WEB, Anchored
from tests.services.user_agents import Dialog, Phone


def begin(wire: Anchored, web: Phone, bob: Phone) -> tuple[Dialog, Dialog]:
    """A browser's call to a phone that answers; (the browser's dialog, the phone's)."""
    call = web.call("1002", body=WEB)
    wire.gateway("offer")
    incoming = bob.incoming()
    theirs = incoming.answer()
    wire.gateway("answer")
    mine = call.answered()
    bob.request("ACK")
    return mine, theirs


class TestWhoIsAnchored:
    def test_two_phones_are_not(self, wire: Anchored, bob: Phone) -> None:
        alice = registered(wire, "1001", "198.51.100.1")
        alice.call("1002")
        bob.incoming().answer()
        assert not wire.plane.asked
        assert wire.core.counters()["media_calls"] == 0

    def test_two_browsers_are_not(self, wire: Anchored, web: Phone) -> None:
        other = registered(wire, "1002", "203.0.113.2", 40002, transport="WS")
        web.call("1002", body=WEB)
        other.incoming()
        assert not wire.plane.asked

    def test_a_browser_and_a_phone_are(self, wire: Anchored, web: Phone, bob: Phone) -> None:
        call = web.call("1002", body=WEB)
        bob.nothing()  # the INVITE waits for the gateway
        request = wire.gateway("offer")
        assert (request.protocol, request.signalled_from) == ("RTP/AVP", "203.0.113.1")
        assert (request.from_tag, request.sdp) == (call.tag, WEB)
        incoming = bob.incoming()
        assert incoming.invite.body.startswith("v=0\r\no=gateway offer RTP/AVP\r\n")
        assert incoming.invite["Content-Length"] == str(len(incoming.invite.body))
        incoming.ring()
        web.response(180)  # nothing for the gateway in it
        incoming.answer()
        web.nothing()
        request = wire.gateway("answer")
        assert (request.protocol, request.signalled_from) == ("UDP/TLS/RTP/SAVPF", "198.51.100.2")
        assert (request.from_tag, request.to_tag) == (call.tag, incoming.tag)
        answer = web.response(200)
        assert answer.body.startswith("v=0\r\no=gateway answer UDP/TLS/RTP/SAVPF\r\n")

    def test_a_phone_and_a_browser_are(self, wire: Anchored, web: Phone, bob: Phone) -> None:
        bob.call("1001")
        assert wire.gateway("offer").protocol == "UDP/TLS/RTP/SAVPF"
        web.incoming().answer()
        assert wire.gateway("answer").protocol == "RTP/AVP"
        bob.response(200)

    def test_of_two_phones_of_one_only_the_browser_is(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        desk = registered(wire, "1001", "198.51.100.1")
        call = bob.call("1001")
        first = desk.incoming()
        assert "gateway" not in first.invite.body
        wire.gateway("offer")
        second = web.incoming()
        second.ring()
        bob.response(180)
        first.answer()
        call.answered()
        second.cancelled()
        assert wire.gateway("delete").name.endswith(call.call_id)

    def test_without_a_gateway_a_mixed_call_goes_as_it_is(self) -> None:
        wire = Anchored(None)
        web = registered(wire, "1001", "203.0.113.1", 40001, transport="WS")
        bob = registered(wire, "1002", "198.51.100.2")
        web.call("1002", body=WEB)
        assert bob.incoming().invite.body == WEB


class TestWhatGoesWrong:
    def test_no_gateway_alive_is_503_and_says_so(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        wire.plane.instance = -1
        web.call("1002", body=WEB).fails(503)
        assert wire.row.reason.endswith("its media could not be carried: no media gateway answers.")
        assert (wire.row.result, wire.row.sip_status) == ("failed", 503)

    @pytest.mark.parametrize("status", [488, 503])
    def test_an_offer_that_the_gateway_refuses(
        self, wire: Anchored, web: Phone, bob: Phone, status: int
    ) -> None:
        call = web.call("1002", body=WEB)
        wire.gateway("offer", ok=False, status=status)
        call.fails(status)
        bob.nothing()
        assert wire.row.reason.endswith("its media could not be carried: no codec in common.")
        assert wire.plane.asked[0][0].command == "delete"

    def test_an_answer_that_it_refuses_ends_the_phone_s_call(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        call = web.call("1002", body=WEB)
        wire.gateway("offer")
        bob.incoming().answer()
        wire.gateway("answer", ok=False)
        bob.request("ACK")
        bob.request("BYE")
        call.fails(488)

    def test_a_call_given_up_before_the_gateway_answered(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        call = web.call("1002", body=WEB)
        call.cancel()
        web.response(200)
        wire.advance(0.1)
        call.fails(487)
        wire.gateway("offer")
        bob.nothing()
        assert wire.row.result == "cancelled"
        wire.gateway("delete")

    def test_answers_wait_in_order_behind_one_that_the_gateway_has(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        web.call("1002", body=WEB)
        wire.gateway("offer")
        incoming = bob.incoming()
        bob.reply(incoming.invite, 183, "Progress", tag="b", extra=incoming.contact, body=SRTP)
        incoming.ring()
        incoming.send_ok(tag="b")
        web.nothing()
        wire.gateway("answer")
        assert "gateway answer" in web.response(183).body
        web.response(180)
        web.nothing()
        wire.gateway("answer")
        assert web.response(200).body
        incoming.send_ok(tag="b")  # the phone repeats it: nobody is asked again
        assert not wire.plane.asked
        assert "gateway answer" in web.response(200).body

    def test_a_success_puts_a_phone_through_again_that_announced_something(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        """Another phone of the fork may have announced something since: the last answer is heard."""
        web.call("1002", body=WEB)
        wire.gateway("offer")
        incoming = bob.incoming()
        bob.reply(incoming.invite, 183, "Progress", tag="b", extra=incoming.contact, body=SRTP)
        wire.gateway("answer")
        web.response(183)
        for _ in range(2):  # the second one is repeated
            bob.reply(incoming.invite, 200, "OK", tag="b", extra=incoming.contact, body=SRTP)
            if wire.plane.asked:
                wire.gateway("answer")
            assert "gateway answer" in web.response(200).body
        assert [each.command for each in wire.plane.done].count("answer") == 2

    def test_a_phone_that_wants_srtp_gets_a_second_offer(self, wire: Anchored, bob: Phone) -> None:
        alice = registered(wire, "1001", "198.51.100.1")
        call = alice.call("1002")
        bob.incoming().reject(488, "Not Acceptable Here")
        request = wire.gateway("offer")
        assert (request.protocol, request.sdp) == ("RTP/SAVP", call.body)
        incoming = bob.incoming()
        assert "gateway offer RTP/SAVP" in incoming.invite.body
        incoming.reject(488)
        wire.gateway("delete")
        call.fails(488)
        assert len(wire.row.legs) == 2

    def test_a_phone_that_has_no_srtp_gets_a_second_offer(self, wire: Anchored, bob: Phone) -> None:
        alice = registered(wire, "1001", "198.51.100.1")
        alice.call("1002", body=SRTP)
        bob.incoming().reject(488, "Not Acceptable Here")
        assert wire.gateway("offer").protocol == "RTP/AVP"
        bob.incoming().answer()
        assert wire.gateway("answer").protocol == "RTP/SAVP"
        alice.response(200)


class TestInTheDialog:
    def test_both_sides_may_offer_again(self, wire: Anchored, web: Phone, bob: Phone) -> None:
        mine, theirs = begin(wire, web, bob)
        for dialog, sdp, asked, other, back in (
            (mine, WEB, web, bob, "UDP/TLS/RTP/SAVPF"),
            (theirs, SRTP, bob, web, "RTP/AVP"),
        ):
            name = wire.plane.done[0].name
            dialog.request("INVITE", extra=TYPE, body=sdp)
            asked.response(100)
            request = wire.gateway("offer")
            assert request.name == name
            incoming = other.incoming()
            assert "gateway offer" in incoming.invite.body
            incoming.send_ok()
            assert wire.gateway("answer").protocol == back
            assert "gateway answer" in asked.response(200).body

    def test_rfc3311_5_an_update_with_an_offer(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        mine, _ = begin(wire, web, bob)
        mine.request("UPDATE", extra=TYPE, body=WEB)
        wire.gateway("offer")
        update = bob.request("UPDATE")
        assert "gateway offer" in update.body
        bob.reply(update, 200, "OK", body=SRTP)
        wire.gateway("answer")
        assert "gateway answer" in web.response(200).body
        mine.request("UPDATE", extra=TYPE, body=WEB)
        wire.gateway("offer", ok=False)
        web.response(488)
        mine.request("UPDATE")  # to confirm the session: nothing to ask
        bob.request("UPDATE")

    def test_13_2_1_the_answer_to_a_late_offer_is_in_the_ack(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        call = web.invite("1002")
        call.body, call.extra = "", ""
        call.authenticate()
        web.response(100)
        incoming = bob.incoming()
        assert incoming.invite.body == ""
        incoming.send_ok()
        request = wire.gateway("offer")
        assert (request.from_tag, request.protocol) == (incoming.tag, "UDP/TLS/RTP/SAVPF")
        dialog = call.answered(acknowledge=False)
        dialog.ack(extra=TYPE, body=WEB)
        bob.nothing()
        request = wire.gateway("answer")
        assert (request.from_tag, request.to_tag) == (incoming.tag, call.tag)
        assert "gateway answer RTP/AVP" in bob.request("ACK").body

    def test_the_end_deletes_and_the_row_gets_the_figures(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        mine, _ = begin(wire, web, bob)
        mine.request("BYE")
        bye = bob.request("BYE")
        bob.reply(bye, 200, "OK")
        web.response(200)
        wire.gateway("delete", figures=FIGURES)
        assert wire.row.quality == FIGURES
        assert wire.row.state == "ended"
        assert wire.core.counters()["media_calls_now"] == 0

    def test_after_kill_9_the_dialog_s_requests_still_find_their_gateway(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        mine, theirs = begin(wire, web, bob)
        first = wire.plane.done[0]
        wire.restart()
        web.register()  # over a new WebSocket
        theirs.request("INVITE", extra=TYPE, body=SRTP)
        bob.response(100)
        request = wire.gateway("offer")
        assert (request.name, request.instance) == (first.name, first.instance)
        assert request.protocol == "UDP/TLS/RTP/SAVPF"
        incoming = web.incoming()
        incoming.send_ok()
        wire.gateway("answer")
        bob.response(200)
        mine.request("BYE")
        request = wire.gateway("delete", figures=FIGURES)
        assert request.name == first.name
        bob.reply(bob.request("BYE"), 200, "OK")
        assert wire.row.quality == FIGURES

    def test_a_forged_note_reaches_no_gateway(self, wire: Anchored, web: Phone, bob: Phone) -> None:
        mine, _ = begin(wire, web, bob)
        wire.restart(with_facts=False)
        forged = [route.replace("!g0wr", "!g1wr") for route in mine.routes]
        assert forged != mine.routes
        mine.request("BYE", routes=forged)
        web.response(481)
        assert not wire.plane.asked


class TestWhileItTalks:
    def test_one_way_audio_is_noticed(self, wire: Anchored, web: Phone, bob: Phone) -> None:
        begin(wire, web, bob)
        wire.advance(11)
        wire.gateway("query", figures=FIGURES.replace("499", "0"), silent="callee")
        assert '"callee":{"packets":0}' in wire.row.quality
        assert wire.core.counters()["media_one_way"] == 1
        wire.advance(31)
        wire.gateway("query", figures=FIGURES)
        assert wire.row.quality == FIGURES

    def test_a_call_that_its_gateway_lost_is_ended_towards_both(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        begin(wire, web, bob)
        for _ in range(3):
            wire.advance(11)
            bob.nothing()
            wire.gateway("query", ok=False, status=503)
        for phone in (web, bob):
            bye = phone.request("BYE")
            assert "cause=503" in bye["Reason"]
            assert not bye.all("Route")
            phone.reply(bye, 200, "OK")
        assert (wire.row.state, wire.row.hangup_by) == ("ended", "system")
        assert "the media gateway lost it" in wire.row.reason

    def test_a_lost_gateway_s_calls_are_looked_after_at_once(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        """Fifteen seconds of silence at most, and not until the next usual look."""
        begin(wire, web, bob)
        wire.advance(11)
        wire.gateway("query", figures=FIGURES)
        wire.plane.listener.on_gateway_lost(1, wire.now)
        wire.advance(6)
        assert not wire.plane.asked  # another one's
        wire.plane.listener.on_gateway_lost(0, wire.now)
        for _ in range(3):
            bob.nothing()
            wire.advance(6)
            wire.gateway("query", ok=False, status=503)
        bob.request("BYE")
        assert wire.row.state == "ended"

    def test_rfc7675_5_1_a_browser_that_is_gone_ends_the_call_towards_both(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        """It is looked for every few seconds once its connection has gone, and not before."""
        begin(wire, web, bob)
        wire.advance(11)
        wire.gateway("query", figures=FIGURES)
        wire.advance(6)
        assert not wire.plane.asked
        flow = wire.flow_to("WS", "203.0.113.1", 40001)
        flow.open = False
        wire.core.flow_failed(flow, wire.now)
        wire.advance(6)
        wire.gateway("query", figures=FIGURES)
        wire.advance(6)
        wire.gateway("query", figures=FIGURES, gone="caller")
        bye = bob.request("BYE")
        assert "cause=408" in bye["Reason"]
        bob.reply(bye, 200, "OK")
        assert (wire.row.state, wire.row.hangup_by) == ("ended", "system")
        assert "the caller's browser was not heard from" in wire.row.reason
        wire.gateway("delete")
        assert wire.core.counters()["media_left_alone"] == 1

    def test_a_gateway_that_comes_back_in_time_keeps_it(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        begin(wire, web, bob)
        for ok in (False, False, True, False, False):
            wire.advance(31)
            wire.gateway("query", ok=ok)
        bob.nothing()
        assert wire.row.state == "talking"
