"""Keys by SIP INFO on one side of an anchored call and as telephone events on the other (RFC 4733)."""

from __future__ import annotations

import pytest

from sipengine.services.media.pressed_keys import key_in
from sipengine.services.ports import TO_RTP
from sipengine.sip.parser import parse
from tests.services.media.anchored import TYPE, WEB, Anchored
from tests.services.user_agents import Dialog, Phone
from tests.support.wire import Message

EVENTS = "a=rtpmap:101 telephone-event/8000\r\n"
OLD = (
    "v=0\r\no=- 1 1 IN IP4 198.51.100.2\r\ns=-\r\nc=IN IP4 198.51.100.2\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0\r\n"
)
RELAY = "Content-Type: application/dtmf-relay\n"
FIVE = "Signal=5\r\nDuration=160\r\n"


def talking(wire: Anchored, web: Phone, bob: Phone, theirs: str = OLD) -> tuple[Dialog, Dialog]:
    """A browser with events calls Bob, whose phone answers with `theirs`."""
    call = web.call("1002", body=f"{WEB}{EVENTS}")
    wire.gateway("offer")
    incoming = bob.incoming()
    extra = f"{incoming.contact}"
    bob.reply(incoming.invite, 200, "OK", tag=incoming.tag, extra=extra, body=theirs)
    wire.gateway("answer")
    mine = call.answered()
    bob.request("ACK")
    return mine, incoming.dialog()


def press(wire: Anchored, tag: str, code: int = 5, duration: int = 120) -> None:
    """The gateway tells of a key."""
    name = wire.plane.done[0].name
    wire.plane.listener.on_key(name, tag, code, duration, wire.now)
    wire.settle()


def told_again(wire: Anchored, phone: Phone) -> Message:
    """The INFO that comes within a second, before it is repeated for want of an answer."""
    for _ in range(11):
        if not phone.inbox:
            wire.advance(0.1)
    return phone.request("INFO")


def tag_of(dialog: Dialog) -> str:
    return dialog.local.rpartition("tag=")[2]


class TestInfoToEvents:
    def test_an_info_is_played_to_a_side_that_takes_events(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        _, theirs = talking(wire, web, bob)
        theirs.request("INFO", body=FIVE, extra=RELAY)
        web.nothing()
        asked = wire.gateway("play DTMF")
        assert (asked.from_tag, asked.code, asked.duration) == (tag_of(theirs), 5, 160)
        bob.response(200)
        web.nothing()

    def test_where_it_cannot_be_played_it_goes_on_as_it_came(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        _, theirs = talking(wire, web, bob)
        theirs.request("INFO", body=FIVE, extra=RELAY)
        wire.gateway("play DTMF", ok=False)
        info = web.request("INFO")
        assert info.body == FIVE
        web.reply(info, 200, "OK")
        bob.response(200)

    def test_to_a_side_without_events_and_about_other_things_it_goes_on(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        mine, theirs = talking(wire, web, bob)
        mine.request("INFO", body=FIVE, extra=RELAY)
        bob.reply(bob.request("INFO"), 200, "OK")
        web.response(200)
        theirs.request("INFO", body="<picture_fast_update/>", extra="Content-Type: text/xml\n")
        web.reply(web.request("INFO"), 200, "OK")
        bob.response(200)
        assert not wire.plane.asked


class TestEventsToInfo:
    def test_a_key_becomes_an_info_for_a_phone_without_events(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        mine, theirs = talking(wire, web, bob)
        press(wire, tag_of(mine), code=11, duration=200)
        info = bob.request("INFO")
        assert info["Content-Type"] == "application/dtmf-relay"
        assert info.body == "Signal=#\r\nDuration=200\r\n"
        assert (info["From"], info["To"]) == (theirs.remote, theirs.local)
        bob.reply(info, 200, "OK")
        web.nothing()
        assert wire.core.counters()["media_keys_told"] == 1

    def test_rfc3261_12_2_1_1_later_requests_go_on_with_higher_numbers(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        mine, _ = talking(wire, web, bob)
        first = mine.cseq
        for at in range(2):
            press(wire, tag_of(mine))
            info = bob.request("INFO")
            assert info["CSeq"] == f"{first + 1 + at} INFO"
            bob.reply(info, 200, "OK")
            wire.advance(0.2)
        mine.request("INVITE", body=f"{WEB}{EVENTS}", extra=TYPE)
        web.response(100)
        assert wire.gateway("offer").protocol == TO_RTP
        again = bob.request("INVITE")
        assert again["CSeq"] == f"{first + 3} INVITE"
        bob.reply(again, 200, "OK", extra=f"Contact: {bob.contact}", body=OLD)
        wire.gateway("answer")
        answer = web.response(200)
        assert answer["CSeq"] == f"{first + 1} INVITE"
        press(wire, tag_of(mine))
        assert bob.request("INFO")["CSeq"] == f"{first + 4} INFO"
        mine.ack()
        assert bob.request("ACK")["CSeq"] == f"{first + 3} ACK"
        mine.request("BYE")
        bye = bob.request("BYE")
        assert bye["CSeq"] == f"{first + 5} BYE"
        bob.reply(bye, 200, "OK")
        assert web.response(200)["CSeq"] == f"{first + 2} BYE"
        assert wire.row.hangup_by == "caller"

    def test_the_callee_s_keys_are_told_the_caller_by_numbers_of_its_own(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        call = bob.call("1001")  # Bob's phone offers no events
        wire.gateway("offer")
        incoming = web.incoming()
        web.reply(
            incoming.invite, 200, "OK", tag=incoming.tag, extra=incoming.contact,
            body=f"{WEB}{EVENTS}",
        )  # fmt: skip
        wire.gateway("answer")
        call.answered()
        web.request("ACK")
        theirs = incoming.dialog()
        press(wire, incoming.tag)
        info = bob.request("INFO")
        assert info["CSeq"] == "1 INFO"
        bob.reply(info, 200, "OK")
        theirs.request("BYE")
        bye = bob.request("BYE")
        assert bye["CSeq"] == f"{theirs.cseq + 1} BYE"
        bob.reply(bye, 200, "OK")
        assert web.response(200)["CSeq"] == f"{theirs.cseq} BYE"

    def test_rfc3515_2_4_6_a_notify_names_the_refer_by_its_own_number(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        mine, theirs = talking(wire, web, bob)
        press(wire, tag_of(mine))
        bob.reply(bob.request("INFO"), 200, "OK")
        mine.request("REFER", extra="Refer-To: <sip:1003@pbx.test>\n")
        refer = bob.request("REFER")
        number = int(refer["CSeq"].split()[0])
        assert number == mine.cseq + 1
        bob.reply(refer, 202, "Accepted", extra=f"Contact: {bob.contact}")
        web.response(202)
        theirs.request("NOTIFY", extra=f"Event: refer;id={number}\nSubscription-State: active\n")
        assert web.request("NOTIFY")["Event"] == f"refer;id={mine.cseq}"

    def test_rfc3261_14_1_a_key_that_met_the_phone_s_own_is_told_again_before_later_ones(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        """Some phones answer 491 while an INFO of theirs is under way."""
        mine, theirs = talking(wire, web, bob)
        press(wire, tag_of(mine), code=5)
        first = bob.request("INFO")
        theirs.request("INFO", body=FIVE, extra=RELAY)
        wire.gateway("play DTMF")
        bob.response(200)
        wire.advance(0.1)
        press(wire, tag_of(mine), code=7)
        bob.reply(first, 491, "Request Pending")
        bob.nothing()
        again = told_again(wire, bob)
        assert again.body == first.body
        assert again["CSeq"] == f"{mine.cseq + 2} INFO"
        bob.nothing()
        bob.reply(again, 200, "OK")
        later = bob.request("INFO")
        assert later.body.startswith("Signal=7")
        assert later["CSeq"] == f"{mine.cseq + 3} INFO"
        bob.reply(later, 200, "OK")
        bob.nothing()
        assert wire.core.counters()["media_keys_told"] == 2

    def test_a_phone_that_always_has_an_info_under_way_is_asked_five_times(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        mine, _ = talking(wire, web, bob)
        press(wire, tag_of(mine))
        for _ in range(5):
            bob.reply(told_again(wire, bob), 491, "Request Pending")
        wire.advance(5)
        bob.nothing()
        press(wire, tag_of(mine), code=9)
        assert bob.request("INFO").body.startswith("Signal=9")

    def test_a_call_that_ended_meanwhile_is_told_no_key(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        mine, _ = talking(wire, web, bob)
        press(wire, tag_of(mine))
        bob.reply(bob.request("INFO"), 491, "Request Pending")
        mine.request("BYE")
        bob.reply(bob.request("BYE"), 200, "OK")
        wire.advance(1.1)
        bob.nothing()

    def test_no_more_keys_wait_than_a_person_types(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        mine, _ = talking(wire, web, bob)
        for at in range(40):
            press(wire, tag_of(mine), code=at % 10)
            wire.now += 0.05
        told = []
        for _ in range(32):
            info = bob.request("INFO")
            told.append(info.body[7])
            bob.reply(info, 200, "OK")
        bob.nothing()
        assert "".join(told) == "01234567890123456789012345678901"

    def test_who_takes_events_is_told_nothing_and_nobody_is_flooded(
        self, wire: Anchored, web: Phone, bob: Phone
    ) -> None:
        mine, theirs = talking(wire, web, bob)
        press(wire, tag_of(theirs))
        web.nothing()
        for _ in range(5):
            press(wire, tag_of(mine))
        bob.reply(bob.request("INFO"), 200, "OK")
        bob.nothing()
        wire.plane.listener.on_key("another", tag_of(mine), 1, 100, wire.now)
        wire.settle()
        bob.nothing()


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", (5, 160)),
        ("application/dtmf-relay", "Signal= *\nDuration= 90", (10, 90)),
        ("Application/DTMF-Relay;x=y", "signal=#\r\n", (11, 160)),
        ("application/dtmf-relay", "Signal=11\r\nDuration=x", (11, 160)),
        ("application/dtmf-relay", "Signal=d\r\nDuration=999999999", (15, 5000)),
        ("application/dtmf", "7", (7, 160)),
        ("application/dtmf-relay", "Duration=160", None),
        ("application/dtmf-relay", "Signal=55", None),
        ("application/dtmf-relay", "Signal=", None),
        ("application/dtmf", "", None),
        ("text/plain", "5", None),
    ],
)
def test_what_an_info_may_say(kind: str, body: str, key: tuple[int, int] | None) -> None:
    text = (
        f"INFO sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bKx\r\nFrom: <sip:c@d>;tag=1\r\n"
        f"To: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 5 INFO\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    assert key_in(parse(text.encode())) == key
