"""REFER and Replaces at sessions of our own (RFC 3515, RFC 3891): click-to-call's two sides, the echo test."""

from __future__ import annotations

import pytest

from tests.services.conftest import registered
from tests.services.media.anchored import WEB, Anchored, Plane
from tests.services.media.test_own_calls_by_gateway import FOR_WEB, rtp
from tests.services.test_click_to_call import Heard, Joined, dial, joined, news, picked_up, sdp
from tests.services.user_agents import Dialog, OutgoingCall, Phone
from tests.services.wire import Wire

__all__ = ["news"]

TYPE = "Content-Type: application/sdp\n"
ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, REFER, NOTIFY\n"


def replaces(dialog: Dialog, extra: str = "") -> str:
    """Of a dialog with us, as somebody else may write it: our tag first."""
    ours, theirs = dialog.remote.rpartition("tag=")[2], dialog.local.rpartition("tag=")[2]
    return f"Replaces: {dialog.call_id};to-tag={ours};from-tag={theirs}{extra}\n"


def take_over(phone: Phone, dialog: Dialog, **more: str) -> OutgoingCall:
    extra = more.pop("extra", "") or replaces(dialog)
    return phone.call("1002", extra=f"Require: replaces\n{extra}", **more)


class TestRefer:
    def test_rfc3515_2_4_the_other_phone_is_told_and_its_progress_comes_back(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone, news: Heard
    ) -> None:
        call = joined(wire, news, alice, bob, allow=ALLOW)
        call.alice.request("REFER", extra="Refer-To: <sip:1003@pbx.test>\n")
        alice.response(202)
        alice.reply(alice.request("NOTIFY"), 200, "OK")
        refer = bob.request("REFER")
        assert refer["Refer-To"] == "<sip:1003@pbx.test>"
        bob.reply(refer, 202, "Accepted", extra=f"Contact: {bob.contact}")
        fresh = bob.call("1003")
        carol.incoming().answer()
        second = fresh.answered()
        number = refer["CSeq"].split()[0]
        call.bob.request(
            "NOTIFY",
            extra=f"Event: refer;id={number}\nSubscription-State: terminated;reason=noresource\n"
            "Content-Type: message/sipfrag\n",
            body="SIP/2.0 200 OK\r\n",
        )
        bob.response(200)
        notify = alice.request("NOTIFY")
        assert notify.body.startswith("SIP/2.0 200 OK")
        assert notify["Subscription-State"].startswith("terminated")
        alice.reply(notify, 200, "OK")
        call.alice.request("BYE")
        alice.response(200)
        bob.reply(bob.request("BYE"), 200, "OK")
        wire.advance(30)
        second.request("BYE")
        carol.request("ACK")
        carol.reply(carol.request("BYE"), 200, "OK")
        bob.response(200)
        assert "Alice (1001) transferred Bob (1002) to Carol (1003)" in wire.row.reason
        assert len(wire.row.call_ids) == 2

    def test_a_phone_that_refuses_is_told_of(
        self, wire: Wire, alice: Phone, bob: Phone, news: Heard
    ) -> None:
        call = joined(wire, news, alice, bob, allow=ALLOW)
        call.alice.request("REFER", extra="Refer-To: <sip:1003@pbx.test>\n")
        alice.response(202)
        alice.reply(alice.request("NOTIFY"), 200, "OK")
        bob.reply(bob.request("REFER"), 603, "Decline")
        notify = alice.request("NOTIFY")
        assert notify.body.startswith("SIP/2.0 603")
        assert wire.row.state == "talking"

    def test_where_nobody_can_be_referred_it_is_declined(
        self, wire: Wire, alice: Phone, bob: Phone, news: Heard
    ) -> None:
        call = joined(wire, news, alice, bob)  # Bob's phone does not say that it knows REFER
        call.alice.request("REFER", extra="Refer-To: <sip:1003@pbx.test>\n")
        alice.response(603)
        bob.nothing()


class TestReplaces:
    def test_rfc3891_3_somebody_takes_the_place_of_one_side(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone, news: Heard
    ) -> None:
        call = joined(wire, news, alice, bob)
        taking = take_over(carol, call.alice, body=sdp(carol, 40010))
        again = bob.request("INVITE")
        assert "m=audio 40010" in again.body
        alice.nothing()
        bob.reply(again, 200, "OK", extra=f"Contact: {bob.contact}", body=sdp(bob, 50002, 2))
        bob.request("ACK")
        response = carol.response(200)
        assert "m=audio 50002" in response.body
        carol.inbox.appendleft(response)
        mine = taking.answered()
        alice.reply(alice.request("BYE"), 200, "OK")
        bob.nothing()
        assert wire.row.state == "talking"
        assert wire.row.decision[-1] == "Carol took over this call."
        mine.request("BYE")
        carol.response(200)
        bob.reply(bob.request("BYE"), 200, "OK")
        assert (wire.row.result, wire.row.hangup_by) == ("answered", "caller")
        wire.advance(40)
        assert wire.core.counters()["own_sessions_now"] == 0
        assert len(wire.rows) == 1

    def test_the_called_side_can_be_replaced_as_well(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone, news: Heard
    ) -> None:
        call = joined(wire, news, alice, bob)
        taking = take_over(carol, call.bob, body=sdp(carol, 40010))
        again = alice.request("INVITE")
        alice.reply(again, 200, "OK", extra=f"Contact: {alice.contact}", body=sdp(alice, 40002, 3))
        alice.request("ACK")
        taking.answered()
        bob.reply(bob.request("BYE"), 200, "OK")
        call.alice.request("BYE")
        alice.response(200)
        carol.reply(carol.request("BYE"), 200, "OK")
        assert wire.row.hangup_by == "caller"

    def test_if_the_other_side_does_not_take_the_offer_all_stays(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone, news: Heard
    ) -> None:
        call = joined(wire, news, alice, bob)
        taking = take_over(carol, call.alice)
        bob.reply(bob.request("INVITE"), 488, "Not Acceptable Here")
        bob.request("ACK")
        taking.fails(488)
        alice.nothing()
        call.alice.request("BYE")
        alice.response(200)
        bob.reply(bob.request("BYE"), 200, "OK")
        assert wire.row.hangup_by == "caller"

    def test_the_other_side_hangs_up_meanwhile(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone, news: Heard
    ) -> None:
        call = joined(wire, news, alice, bob)
        taking = take_over(carol, call.alice)
        bob.request("INVITE")
        call.bob.request("BYE")
        bob.response(200)
        taking.fails(480)
        alice.reply(alice.request("BYE"), 200, "OK")
        assert wire.row.hangup_by == "callee"

    def test_who_is_replaced_hangs_up_first(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone, news: Heard
    ) -> None:
        call = joined(wire, news, alice, bob)
        taking = take_over(carol, call.alice)
        again = bob.request("INVITE")
        call.alice.request("BYE")
        alice.response(200)
        bob.reply(again, 200, "OK", extra=f"Contact: {bob.contact}", body=sdp(bob, 50002, 2))
        bob.request("ACK")
        taking.answered()
        bob.nothing()
        assert wire.row.state == "talking"

    @pytest.mark.parametrize("early_only", ["", ";early-only"])
    def test_rfc3891_3_who_rings_is_picked_up_for(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone, news: Heard, early_only: str
    ) -> None:
        dial(wire, news)
        mine = picked_up(wire, alice)
        rings = bob.incoming()
        rings.ring()
        wire.advance(0.05)
        ringing = rings.dialog()
        taking = take_over(
            carol, ringing, extra=replaces(ringing, early_only), body=sdp(carol, 40010)
        )
        bob.nothing()  # until somebody has the call, it rings on
        again = alice.request("INVITE")
        assert "m=audio 40010" in again.body
        alice.reply(again, 200, "OK", extra=f"Contact: {alice.contact}", body=sdp(alice, 40002, 2))
        alice.request("ACK")
        theirs = taking.answered()
        cancel = bob.request("CANCEL")
        assert cancel["Reason"] == 'SIP;cause=200;text="Call completed elsewhere"'
        bob.reply(cancel, 200, "OK")
        bob.reply(rings.invite, 487, "Request Terminated", tag=rings.tag)
        bob.request("ACK")
        wire.advance(5)
        assert (wire.row.state, wire.row.answered_by) == ("talking", "1003@pbx.test")
        assert news.said[-1] == "Carol answered: they are connected."
        assert [(leg.target, leg.result) for leg in wire.row.legs] == [
            ("1002@pbx.test", "elsewhere"),
            ("1003@pbx.test", "answered"),
        ]
        theirs.request("BYE")
        carol.response(200)
        alice.reply(alice.request("BYE"), 200, "OK")
        assert mine.call_id in wire.row.call_ids
        assert (wire.row.result, wire.row.hangup_by) == ("answered", "callee")
        wire.advance(40)
        assert (wire.transactions, wire.core.counters()["own_sessions_now"]) == (0, 0)

    def test_rfc3891_3_the_callers_own_phone_is_picked_up_for(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone, news: Heard
    ) -> None:
        dial(wire, news)
        rings = alice.incoming()
        rings.ring()
        wire.advance(0.05)
        taking = take_over(carol, rings.dialog(), body=sdp(carol, 40010))
        response = carol.response(200)
        assert "a=inactive" in response.body
        carol.inbox.appendleft(response)
        mine = taking.answered()
        alice.reply(alice.request("CANCEL"), 200, "OK")
        alice.reply(rings.invite, 487, "Request Terminated", tag=rings.tag)
        alice.request("ACK")
        incoming = bob.incoming()
        bob.reply(
            incoming.invite,
            200,
            "OK",
            tag=incoming.tag,
            extra=incoming.contact,
            body=sdp(bob, 50000),
        )
        wire.advance(0.05)
        again = carol.request("INVITE")
        assert "m=audio 50000" in again.body
        carol.reply(again, 200, "OK", extra=f"Contact: {carol.contact}", body=sdp(carol, 40010, 2))
        carol.request("ACK")
        assert "m=audio 40010" in bob.request("ACK").body
        mine.request("BYE")
        carol.response(200)
        bob.reply(bob.request("BYE"), 200, "OK")
        assert (wire.row.result, wire.row.hangup_by) == ("answered", "caller")
        assert "Carol took over this call." in wire.row.decision

    def test_the_phone_that_rang_answers_while_another_picks_up(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone, news: Heard
    ) -> None:
        dial(wire, news)
        picked_up(wire, alice)
        rings = bob.incoming()
        rings.ring()
        wire.advance(0.05)
        taking = take_over(carol, rings.dialog(), body=sdp(carol, 40010))
        again = alice.request("INVITE")
        alice.reply(again, 200, "OK", extra=f"Contact: {alice.contact}", body=sdp(alice, 40002, 2))
        alice.request("ACK")
        theirs = taking.answered()
        bob.reply(bob.request("CANCEL"), 200, "OK")
        bob.reply(rings.invite, 200, "OK", tag=rings.tag, extra=rings.contact, body=sdp(bob, 50000))
        wire.advance(0.05)
        bob.request("ACK")
        bob.reply(bob.request("BYE"), 200, "OK")
        assert (wire.row.state, wire.row.answered_by) == ("talking", "1003@pbx.test")
        alice.nothing()
        theirs.request("BYE")
        carol.response(200)

    def test_who_picks_up_and_is_not_taken_leaves_it_ringing(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone, news: Heard
    ) -> None:
        dial(wire, news)
        picked_up(wire, alice)
        rings = bob.incoming()
        rings.ring()
        wire.advance(0.05)
        ringing = rings.dialog()
        asking = OutgoingCall(carol, "sip:1002@pbx.test", extra=replaces(ringing))
        asking.body = ""
        asking.send()
        asking.authenticate()
        asking.fails(488)
        taking = take_over(carol, ringing, body=sdp(carol, 40010))
        again = alice.request("INVITE")
        alice.reply(again, 488, "Not Acceptable Here")
        alice.request("ACK")
        taking.fails(488)
        bob.nothing()
        bob.reply(rings.invite, 200, "OK", tag=rings.tag, extra=rings.contact, body=sdp(bob, 50000))
        wire.advance(0.05)
        assert "m=audio 50000" in alice.request("INVITE").body

    def test_rfc3891_3_a_caller_who_waits_for_us_is_not_replaced(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone, news: Heard
    ) -> None:
        """Another tag than of the phone that rings is no dialog at all."""
        dial(wire, news)
        picked_up(wire, alice)
        rings = bob.incoming()
        rings.ring()
        wire.advance(0.05)
        written = replaces(rings.dialog()).replace("from-tag=", "from-tag=x")
        take_over(carol, rings.dialog(), extra=written).fails(481)

    @pytest.mark.parametrize(
        ("extra", "status"),
        [
            (";early-only", 486),
            (";to-tag=another", 481),
        ],
    )
    def test_rfc3891_3_what_does_not_fit_is_refused(
        self,
        wire: Wire,
        alice: Phone,
        bob: Phone,
        carol: Phone,
        news: Heard,
        extra: str,
        status: int,
    ) -> None:
        call = joined(wire, news, alice, bob)
        written = replaces(call.alice, extra)
        if status == 481:
            written = written.replace(f"{call.alice.call_id};", "another-call;", 1)
            written = written.replace(";to-tag=another", "")
        take_over(carol, call.alice, extra=written).fails(status)
        alice.nothing()

    def test_a_call_that_has_ended_is_not_replaced(
        self, wire: Wire, alice: Phone, bob: Phone, carol: Phone, news: Heard
    ) -> None:
        call = joined(wire, news, alice, bob)
        call.alice.request("BYE")
        alice.response(200)
        bob.reply(bob.request("BYE"), 200, "OK")
        take_over(carol, call.alice).fails(603)

    def test_a_stranger_needs_a_password_for_it(
        self, wire: Wire, alice: Phone, bob: Phone, news: Heard
    ) -> None:
        call = joined(wire, news, alice, bob)
        stranger = Phone(wire, "1003", "203.0.113.66")
        stranger.invite("1002", extra=replaces(call.alice)).fails(407)

    def test_the_echo_test_has_nobody_to_take_over(
        self, wire: Wire, alice: Phone, carol: Phone
    ) -> None:
        dialog = alice.call("*43").answered()
        take_over(carol, dialog).fails(603)
        assert wire.row

    def test_broken_ones_are_400(self, wire: Wire, carol: Phone) -> None:
        for written in ("Replaces: x\n", "Replaces: x;to-tag=1;from-tag=2\n" * 2):
            carol.call("1002", extra=written).fails(400)

    def test_of_others_it_passes(self, wire: Wire, alice: Phone, bob: Phone) -> None:
        alice.call("1002", extra="Replaces: x;to-tag=1;from-tag=2\n")
        assert bob.incoming().invite["Replaces"] == "x;to-tag=1;from-tag=2"


def test_a_browser_takes_over_by_the_gateway() -> None:
    wire = Anchored(Plane())
    said = Heard()
    alice = registered(wire, "1001", "198.51.100.1")
    bob = registered(wire, "1002", "198.51.100.2")
    web = registered(wire, "1003", "203.0.113.1", 40001, transport="WS")
    call: Joined = joined(wire, said, alice, bob)
    taking = take_over(web, call.alice, body=WEB)
    wire.gateway("offer", sdp=rtp(30004))
    again = bob.request("INVITE")
    assert "m=audio 30004 RTP/AVP" in again.body
    bob.reply(again, 200, "OK", extra=f"Contact: {bob.contact}", body=sdp(bob, 50002, 2))
    bob.request("ACK")
    wire.gateway("answer", sdp=FOR_WEB)
    taking.answered()
    alice.reply(alice.request("BYE"), 200, "OK")
    assert wire.row.state == "talking"
