"""Click-to-call (RFC 3725): two phones are rung and joined, and what one wants reaches the other."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.services.conftest import World, registered
from tests.services.user_agents import SDP, Dialog, IncomingCall, Phone
from tests.services.wire import Wire
from tests.support.wire import Message

TYPE = "Content-Type: application/sdp\n"


def sdp(phone: Phone, port: int = 40000, version: int = 1, extra: str = "") -> str:
    text = SDP.format(host=phone.host).replace("o=- 1 1", f"o=- 1 {version}")
    return text.replace("40000", str(port)) + extra


@dataclass
class Heard:
    said: list[str] = field(default_factory=list)
    ends: list[bool] = field(default_factory=list)

    def __call__(self, words: str, last: bool, well: bool) -> None:
        self.said.append(words)
        if last:
            self.ends.append(well)


@pytest.fixture
def news() -> Heard:
    return Heard()


def dial(wire: Wire, news: Heard, caller: str = "1001", called: str = "1002") -> None:
    wire.core.agent.click_to_call.dial(caller, called, news, wire.now)
    wire.settle()


@dataclass
class Joined:
    """Both sides of a call that stands."""

    wire: Wire
    alice: Dialog
    bob: Dialog


def picked_up(wire: Wire, alice: Phone) -> Dialog:
    """Alice answers the call to her own phone: with an offer, as the INVITE had none."""
    incoming = alice.incoming()
    assert not incoming.invite.body
    incoming.ring()
    alice.reply(
        incoming.invite, 200, "OK", tag=incoming.tag, extra=incoming.contact, body=sdp(alice)
    )
    wire.advance(0.05)
    ack = alice.request("ACK")
    assert "a=inactive" in ack.body, "nothing flows yet (RFC 3725 §4.3)"
    return incoming.dialog()


def joined(wire: Wire, news: Heard, alice: Phone, bob: Phone, allow: str = "") -> Joined:
    dial(wire, news)
    a = picked_up(wire, alice)
    incoming = bob.incoming()
    assert not incoming.invite.body
    bob.reply(
        incoming.invite,
        200,
        "OK",
        tag=incoming.tag,
        extra=f"{incoming.contact}\n{allow}".rstrip(),
        body=sdp(bob, 50000),
    )
    wire.advance(0.05)
    again = alice.request("INVITE")
    assert "m=audio 50000" in again.body
    alice.reply(again, 200, "OK", extra=f"Contact: {alice.contact}", body=sdp(alice, 40002, 2))
    alice.request("ACK")
    ack = bob.request("ACK")
    assert "m=audio 40002" in ack.body
    return Joined(wire, a, incoming.dialog())


def test_rfc3725_4_3_two_phones_are_joined_and_one_row_tells_it(
    wire: Wire, alice: Phone, bob: Phone, news: Heard
) -> None:
    call = joined(wire, news, alice, bob)
    assert news.said == [
        "Ringing Alice (1001) …",
        "Alice (1001) picked up; ringing 1002 …",
        "Bob answered: they are connected.",
    ]
    assert news.ends == [True]
    wire.advance(10)
    call.alice.request("BYE")
    alice.response(200)
    bob.reply(bob.request("BYE"), 200, "OK")
    row = wire.row
    assert (row.caller, row.called, row.result) == ("1001@pbx.test", "1002", "answered")
    assert (row.hangup_by, row.answered_by) == ("caller", "1002@pbx.test")
    assert row.call_ids == [call.alice.call_id]
    wire.advance(40)
    assert wire.transactions == 0
    assert wire.core.counters()["own_sessions_now"] == 0


def test_each_sees_the_other_as_who_calls(
    wire: Wire, alice: Phone, bob: Phone, news: Heard
) -> None:
    dial(wire, news)
    invite = alice.inbox[0]
    assert invite["From"].startswith('"Bob" <sip:1002@pbx.test>')
    picked_up(wire, alice)
    assert bob.inbox[0]["From"].startswith('"Alice" <sip:1001@pbx.test>')


def test_callee_hangs_up(wire: Wire, alice: Phone, bob: Phone, news: Heard) -> None:
    call = joined(wire, news, alice, bob)
    call.bob.request("BYE")
    bob.response(200)
    alice.reply(alice.request("BYE"), 200, "OK")
    assert wire.row.hangup_by == "callee"


def changed(
    by: Phone, dialog: Dialog, to: Phone, body: str, answer: str
) -> tuple[Message, Message]:
    """`by` sends a re-INVITE; what reached the other, and what came back."""
    dialog.request("INVITE", body=body, extra=TYPE if body else "")
    by.response(100)
    passed = to.request("INVITE")
    to.reply(passed, 200, "OK", extra=f"Contact: {to.contact}", body=answer)
    return passed, by.receive()


def test_hold_and_resume_reach_the_other_side(
    wire: Wire, alice: Phone, bob: Phone, news: Heard
) -> None:
    call = joined(wire, news, alice, bob)
    held = sdp(alice, 40002, 3, "a=sendonly\r\n")
    passed, back = changed(alice, call.alice, bob, held, sdp(bob, 50000, 2, "a=recvonly\r\n"))
    assert "a=sendonly" in passed.body
    to_ack = bob.request("ACK")
    assert not to_ack.body
    assert back.status == 200
    assert "a=recvonly" in back.body
    call.alice.ack()
    passed, back = changed(bob, call.bob, alice, sdp(bob, 50000, 3), sdp(alice, 40002, 4))
    assert "m=audio 50000" in passed.body
    assert "m=audio 40002" in back.body


def test_reinvite_without_offer_gets_the_others_offer(
    wire: Wire, alice: Phone, bob: Phone, news: Heard
) -> None:
    call = joined(wire, news, alice, bob)
    passed, back = changed(alice, call.alice, bob, "", sdp(bob, 50004, 5))
    assert not passed.body
    assert "m=audio 50004" in back.body
    call.alice.request("ACK", number=call.alice.cseq, body=sdp(alice, 40008, 5), extra=TYPE)
    assert "m=audio 40008" in bob.request("ACK").body


def test_refused_change_is_refused_to_who_wanted_it(
    wire: Wire, alice: Phone, bob: Phone, news: Heard
) -> None:
    call = joined(wire, news, alice, bob)
    call.alice.request("INVITE", body=sdp(alice, 40002, 3), extra=TYPE)
    alice.response(100)
    bob.reply(bob.request("INVITE"), 488, "Not Acceptable Here")
    bob.request("ACK")
    alice.response(488)
    wire.advance(1)
    assert wire.row.state == "talking"


def test_both_change_at_once_both_get_491_rfc3261_14_1(
    wire: Wire, alice: Phone, bob: Phone, news: Heard
) -> None:
    call = joined(wire, news, alice, bob)
    call.alice.request("INVITE", body=sdp(alice, 40002, 3), extra=TYPE)
    alice.response(100)
    bob.request("INVITE")
    call.bob.request("INVITE", body=sdp(bob, 50000, 3), extra=TYPE)
    bob.response(491)


def test_info_goes_across(wire: Wire, alice: Phone, bob: Phone, news: Heard) -> None:
    call = joined(wire, news, alice, bob)
    call.alice.request("INFO", body="Signal=5", extra="Content-Type: application/dtmf-relay\n")
    alice.response(200)
    info = bob.request("INFO")
    assert (info.body, info["Content-Type"]) == ("Signal=5", "application/dtmf-relay")


def test_second_leg_busy_ends_the_first(wire: Wire, alice: Phone, bob: Phone, news: Heard) -> None:
    dial(wire, news)
    picked_up(wire, alice)
    bob.incoming().reject(486, "Busy Here")
    wire.advance(0.05)
    alice.reply(alice.request("BYE"), 200, "OK")
    assert wire.row.result == "busy"
    assert news.said[-1] == "Alice (1001) called 1002. Bob (1002) was busy."
    assert news.ends == [False]


def test_caller_hangs_up_while_it_rings(wire: Wire, alice: Phone, bob: Phone, news: Heard) -> None:
    dial(wire, news)
    a = picked_up(wire, alice)
    incoming = bob.incoming()
    incoming.ring()
    a.request("BYE")
    alice.response(200)
    incoming.cancelled()
    assert wire.row.result == "cancelled"
    assert news.said[-1] == "Alice (1001) hung up."
    wire.advance(40)
    assert wire.core.counters()["own_sessions_now"] == 0


def test_caller_does_not_pick_up(wire: Wire, alice: Phone, bob: Phone, news: Heard) -> None:
    dial(wire, news)
    incoming = alice.incoming()
    incoming.ring()
    wire.advance(30.2)
    incoming.cancelled()
    bob.nothing()
    assert "did not answer the own phone" in news.said[-1]
    assert wire.row.result == "failed"


def test_caller_declines_and_nobody_else_is_rung(
    wire: Wire, alice: Phone, bob: Phone, news: Heard
) -> None:
    dial(wire, news)
    alice.incoming().reject(603, "Decline")
    wire.advance(0.05)
    bob.nothing()
    assert news.ends == [False]


def test_caller_without_a_phone(wire: Wire, bob: Phone, news: Heard) -> None:
    dial(wire, news)
    wire.advance(0.05)
    assert "Alice (1001) has no phone registered" in news.said[-1]
    assert news.ends == [False]


@pytest.mark.parametrize(
    ("caller", "called", "words"),
    [
        ("1999", "1002", "There is no extension 1999 at pbx.test."),
        ("1001", "1999", "No extension 1999"),
        ("1001", "sip:x@elsewhere.test", "Give a number of pbx.test"),
        ("1001", "1002@elsewhere.test", "Give a number of pbx.test"),
        ("1001", "", "Give a number of pbx.test"),
    ],
)
def test_what_cannot_be_dialled_is_said_and_rings_nobody(
    wire: Wire, alice: Phone, news: Heard, caller: str, called: str, words: str
) -> None:
    dial(wire, news, caller, called)
    assert words in news.said[-1]
    assert news.ends == [False]
    alice.nothing()
    wire.beat()
    assert not wire.rows


def test_all_phones_of_the_caller_ring_and_the_forward_of_the_called_is_followed(
    world: World, news: Heard
) -> None:
    wire = world(e1002={"forward_always": "1003"})
    desk = registered(wire, "1001", "198.51.100.1")
    soft = registered(wire, "1001", "198.51.100.11")
    carol = registered(wire, "1003", "198.51.100.3")
    dial(wire, news)
    ringing = IncomingCall(soft, soft.request("INVITE"))
    ringing.ring()
    picked_up(wire, desk)
    ringing.cancelled()
    assert carol.incoming().invite.method == "INVITE"


def test_phone_that_vanished_ends_the_call_on_both_sides_rfc4028_10(
    wire: Wire, alice: Phone, bob: Phone, news: Heard
) -> None:
    joined(wire, news, alice, bob)
    wire.detach(bob.flow)
    for _ in range(4):
        wire.advance(300)
        while alice.inbox and alice.inbox[0].method in ("INVITE", "UPDATE"):
            request = alice.receive()
            body = sdp(alice, 40002, 9) if request.method == "INVITE" else ""
            alice.reply(request, 200, "OK", extra=f"Contact: {alice.contact}", body=body)
            if request.method == "INVITE":
                alice.request("ACK")
        if alice.inbox:
            break
    alice.reply(alice.request("BYE"), 200, "OK")
    assert wire.row.state == "ended"
    assert "does not answer any more" in wire.row.reason


def test_a_restart_closes_the_row(wire: Wire, alice: Phone, bob: Phone, news: Heard) -> None:
    joined(wire, news, alice, bob)
    wire.restart()
    assert wire.row.state == "ended"
    assert "restarted" in wire.row.reason


def test_a_feature_code_is_played_to_who_picked_up(wire: Wire, alice: Phone, news: Heard) -> None:
    dial(wire, news, "1001", "*43")
    incoming = alice.incoming()
    incoming.ring()
    alice.reply(
        incoming.invite, 200, "OK", tag=incoming.tag, extra=incoming.contact, body=sdp(alice)
    )
    wire.advance(0.05)
    assert "m=audio 20000 " in alice.request("ACK").body
    speaker = wire.media.opened[0]
    assert speaker.agreed[0][:2] == ("198.51.100.1", 40000)
    assert news.said[-1] == "Alice (1001) picked up and hears the echo test."
    assert news.ends == [True]
    incoming.dialog().request("BYE")
    alice.response(200)
    assert not speaker.open
    assert (wire.row.answered_by, wire.row.hangup_by) == ("Echo test", "caller")
    wire.advance(40)
    assert wire.core.counters()["own_sessions_now"] == 0


def test_a_feature_code_without_a_port_ends_the_call(wire: Wire, alice: Phone, news: Heard) -> None:
    wire.media.free = 0
    dial(wire, news, "1001", "*43")
    incoming = alice.incoming()
    alice.reply(
        incoming.invite, 200, "OK", tag=incoming.tag, extra=incoming.contact, body=sdp(alice)
    )
    wire.advance(0.05)
    alice.request("ACK")
    alice.reply(alice.request("BYE"), 200, "OK")
    assert wire.row.result == "failed"
    assert "no RTP port is free" in wire.row.reason
    assert news.said[-1] == wire.row.reason
    assert news.ends == [False]


def test_answer_while_the_callers_phone_changes_something_waits_rfc3261_14_1(
    wire: Wire, alice: Phone, bob: Phone, news: Heard
) -> None:
    """Alice's ACK is late: nothing may be offered to her yet, and Bob is not hung up for that."""
    dial(wire, news)
    a = picked_up(wire, alice)
    incoming = bob.incoming()
    a.request("INVITE", body=sdp(alice, 40000, 2), extra=TYPE)
    assert alice.response(200)
    number = a.cseq
    incoming.send_ok()
    wire.advance(0.3)
    assert not any(message.method == "INVITE" for message in alice.inbox)
    alice.inbox.clear()
    a.ack(number)
    wire.advance(0.3)
    again = alice.request("INVITE")
    alice.reply(again, 200, "OK", extra=f"Contact: {alice.contact}", body=sdp(alice, 40002, 3))
    alice.request("ACK")
    assert "m=audio 40002" in bob.request("ACK").body
    assert news.ends == [True]


def test_callers_phone_that_never_has_done_ends_it(
    wire: Wire, alice: Phone, bob: Phone, news: Heard
) -> None:
    dial(wire, news)
    a = picked_up(wire, alice)
    incoming = bob.incoming()
    a.request("INVITE", body=sdp(alice, 40000, 2), extra=TYPE)
    incoming.send_ok()
    wire.advance(11)
    assert any(message.method == "BYE" for message in bob.inbox)
    assert news.ends == [False]
