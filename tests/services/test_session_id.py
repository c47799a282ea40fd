"""The session's name by its ends, and why it ended: Session-ID (RFC 7989) and Reason (RFC 3326)."""

from __future__ import annotations

import re

import pytest

from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire

UUID = "ab30317f1a784dc48ff824d0d3715d86"
OTHER = "47755a9de7794ba387653f2099600ef2"
NIL = "0" * 32
FROM_ALICE = f"Session-ID: {UUID};remote={NIL}\n"


def test_7989_6_our_own_calls_have_a_name_of_ours(wire: Wire, alice: Phone) -> None:
    call = alice.call("*43", extra=FROM_ALICE)
    answer = alice.inbox[0]
    local, _, remote = answer["Session-ID"].partition(";remote=")
    assert re.fullmatch("[0-9a-f]{12}8[0-9a-f]{3}[89ab][0-9a-f]{15}", local)
    assert remote == UUID
    dialog = call.answered()
    dialog.request("OPTIONS", extra=f"Session-ID: {UUID};remote={local}\n")
    assert alice.response(200)["Session-ID"] == f"{local};remote={UUID}"
    wire.media.opened[0].ended("the end", wire.now)
    wire.settle()
    assert alice.request("BYE")["Session-ID"] == f"{local};remote={UUID}"


def test_7989_6_who_gives_no_name_hears_none(wire: Wire, alice: Phone) -> None:
    call = alice.call("*43")
    assert not alice.inbox[0]["Session-ID"]
    call.answered()
    wire.media.opened[0].ended("the end", wire.now)
    wire.settle()
    assert not alice.request("BYE")["Session-ID"]


def test_7989_6_a_name_that_comes_later_is_the_one(wire: Wire, alice: Phone) -> None:
    dialog = alice.call("*43", extra=FROM_ALICE).answered()
    body = "v=0\r\no=- 1 2 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
    extra = f"Content-Type: application/sdp\nSession-ID: {OTHER};remote={NIL}\n"
    dialog.request("INVITE", body=body, extra=extra)
    assert alice.response(200)["Session-ID"].endswith(f";remote={OTHER}")
    dialog.ack()
    wire.media.opened[0].ended("the end", wire.now)
    wire.settle()
    assert alice.request("BYE")["Session-ID"].endswith(f";remote={OTHER}")


@pytest.mark.parametrize(
    "name",
    ["", "x", UUID[:-1], UUID + "0", UUID[:-1] + "g", "<script>", "0x" + UUID[2:], "x" * 5000,
     "-" * 32, ";remote=" + UUID],
)  # fmt: skip
def test_7989_5_what_is_no_name_is_not_repeated(
    wire: Wire, alice: Phone, bob: Phone, name: str
) -> None:
    for called in ("7777", "*43"):
        call = alice.invite(called, extra=f"Session-ID: {name}\n")
        call.authenticate()
        assert all(not message["Session-ID"] for message in alice.inbox)
        alice.inbox.clear()
    alice.call("1002", extra=f"Session-ID: {name}\n")
    assert bob.request("INVITE").all("Session-ID") == [name]  # not ours to judge
    wire.beat()
    for row in wire.rows.values():
        assert not any("own logs" in line for line in row.decision)


def test_7989_5_upper_case_is_a_name_too(alice: Phone) -> None:
    alice.other_request("OPTIONS", f"sip:{DOMAIN}", extra=f"Session-ID: {UUID.upper()}\n")
    assert alice.response(200)["Session-ID"] == f"{NIL};remote={UUID}"


def test_7989_7_it_passes_both_ways_in_every_message(alice: Phone, bob: Phone) -> None:
    call = alice.call("1002", extra=FROM_ALICE)
    incoming = bob.incoming()
    bob.reply(
        incoming.invite, 200, tag=incoming.tag,
        extra=f"{incoming.contact}\nSession-ID: {OTHER};remote={UUID}\n",
    )  # fmt: skip
    assert alice.inbox[0]["Session-ID"] == f"{OTHER};remote={UUID}"
    dialog = call.answered(acknowledge=False)
    both = f"Session-ID: {UUID};remote={OTHER}\n"
    dialog.ack(extra=both)
    assert bob.request("ACK")["Session-ID"] == f"{UUID};remote={OTHER}"
    dialog.request("BYE", extra=both)
    assert bob.request("BYE")["Session-ID"] == f"{UUID};remote={OTHER}"


def test_3326_2_reasons_of_a_bye_and_of_a_refusal_pass(alice: Phone, bob: Phone) -> None:
    refused = alice.call("1002")
    reasons = 'Reason: Q.850;cause=21;text="x;y,z";location=LN\nReason: SIP;cause=603\n'
    bob.incoming().reject(603, extra=reasons)
    told = [line for line in str(refused.fails(603)).splitlines() if "Reason" in line]
    assert told == reasons.splitlines()
    call = alice.call("1002")
    bob.incoming().answer()
    dialog = call.answered()
    bob.request("ACK")
    dialog.request("BYE", extra=reasons)
    assert reasons.splitlines() == [
        line for line in str(bob.request("BYE")).splitlines() if "Reason" in line
    ]


@pytest.mark.parametrize(
    "reason",
    ["", ";", "SIP;cause=", "SIP;cause=999999999999", 'Q.850;text="unclosed', "X;Y;Z", "\x01", ",,,"],
)  # fmt: skip
def test_3326_a_broken_reason_harms_nobody(alice: Phone, bob: Phone, reason: str) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    alice.response(180)
    call.cancel(f"Reason: {reason}\n")
    alice.response(200)
    incoming.cancelled()
    call.fails(487)


def test_3326_as_many_reasons_as_there_are_protocols_and_no_book(alice: Phone, bob: Phone) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    lines = [f"Reason: P{at};cause={at}\n" for at in range(20)]
    lines.insert(0, f'Reason: SIP;text="{"x" * 600}"\n')
    call.cancel("".join(lines))
    assert bob.request("CANCEL").all("Reason") == [f"P{at};cause={at}" for at in range(8)]
