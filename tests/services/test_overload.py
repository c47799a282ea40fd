"""What is refused under load and what never, and that a level is left only well below where it began."""

from __future__ import annotations

import pytest

from sipengine.services.overload import BUSY, CALM, FULL, OVERFLOWING, begins_anew
from tests.services.user_agents import Phone, wire_bytes
from tests.services.wire import DOMAIN, Wire


def final(phone: Phone) -> int:
    """The last answer in the inbox, which is then empty."""
    statuses = [message.status for message in phone.inbox]
    phone.inbox.clear()
    return statuses[-1]


@pytest.mark.parametrize(
    ("level", "first", "second"),
    [(CALM, 407, 100), (BUSY, 503, 100), (FULL, 503, 503), (OVERFLOWING, 503, 503)],
)
def test_rfc3261_21_5_4_new_calls_are_refused_first_those_that_cost_nothing_yet(
    wire: Wire, alice: Phone, bob: Phone, level: int, first: int, second: int
) -> None:
    waiting = alice.invite("1002")
    assert final(alice) == 407
    wire.core.admission.level = level
    alice.invite("1002")
    assert alice.inbox[0].status == first
    assert bool(alice.inbox[0]["Retry-After"]) == (first == 503)
    alice.inbox.clear()
    wire.core.admission.level = CALM
    waiting.send()
    wire.core.admission.level = level
    waiting.authenticate()
    assert alice.inbox[0].status == second
    assert len(bob.inbox) == (1 if second == 100 else 0)


@pytest.mark.parametrize("level", [BUSY, FULL, OVERFLOWING])
def test_what_has_begun_is_never_refused(wire: Wire, alice: Phone, bob: Phone, level: int) -> None:
    """Responses, ACK, requests of the dialog, CANCEL, retransmissions, OPTIONS."""
    call = alice.call("1002")
    incoming = bob.incoming()
    given_up = alice.call("1002")
    unwanted = bob.incoming()
    wire.core.admission.level = level
    incoming.ring()
    call.rings()
    call.send()  # a retransmission
    theirs = incoming.answer()
    alice.inbox.popleft()
    dialog = call.answered()
    bob.request("ACK")
    unwanted.ring()
    given_up.rings()
    given_up.cancel()
    assert alice.response(200)["CSeq"] == "2 CANCEL"
    unwanted.cancelled()
    given_up.fails(487)
    theirs.request("INFO")
    alice.request("INFO")
    dialog.request("BYE")
    bob.request("BYE")
    alice.other_request("OPTIONS", f"sip:{DOMAIN}")
    assert final(alice) == 200


def test_those_refused_together_are_not_told_to_come_back_together(
    wire: Wire, alice: Phone
) -> None:
    wire.core.admission.level = FULL
    waits = set()
    for _ in range(100):
        alice.invite("1002")
        waits.add(int(alice.response(503)["Retry-After"]))
    assert len(waits) > 10
    assert min(waits) >= 10
    assert max(waits) <= 30
    assert wire.transactions == 0
    assert wire.core.counters()["requests_shed"] == 100


GOOD = "{} sip:pbx.test SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\n{}\nX: y\n\n"


@pytest.mark.parametrize(
    ("text", "new"),
    [
        (GOOD.format("INVITE", "To: <sip:1002@pbx.test>"), True),
        (GOOD.format("REGISTER", "t: <sip:1002@pbx.test>"), True),
        (GOOD.format("INVITE", "To: <sip:1002@pbx.test>;tag=7"), False),
        (GOOD.format("INVITE", "t:<sip:1002@pbx.test> ; tag=7"), False),
        (GOOD.format("BYE", "To: <sip:1002@pbx.test>"), False),
        (GOOD.format("ACK", "To: <sip:1002@pbx.test>"), False),
        (GOOD.format("CANCEL", "To: <sip:1002@pbx.test>"), False),
        (GOOD.format("INVITE", "TO: <sip:1002@pbx.test>;tag=7"), False),
        ("SIP/2.0 200 OK\nTo: x\n\n", False),
        ("INVITE", False),
        ("", False),
    ],
)
def test_unread_bytes_are_dropped_only_if_they_surely_begin_something(text: str, new: bool) -> None:
    assert begins_anew(wire_bytes(text)) is new


def test_18_2_1_the_quick_refusal_says_what_the_long_way_says(wire: Wire, alice: Phone) -> None:
    """Also for what is written unusually, which takes the long way."""
    quick = alice.invite("1002")
    text = wire_bytes(quick.text)
    ways = [
        text,
        text.replace(b"Call-ID:", b"i:"),
        text.replace(b"\r\nTo:", b"\r\nt:"),
        text.replace(b";rport", b""),
        text.replace(
            b"\r\nVia:", b"\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKx;rport\r\nVia:"
        ),
    ]
    alice.inbox.clear()
    wire.core.admission.level = FULL
    for number, way in enumerate(ways):
        alice.send(way.replace(b"branch=z9hG4bK-", b"branch=z9hG4bK-%d" % number, 1))
        answer = alice.response(503)
        assert answer.start == "SIP/2.0 503 Service Unavailable: overloaded"
        assert (answer["Call-ID"] or answer["i"]) == quick.call_id
        assert answer["CSeq"] == "1 INVITE"
        assert answer["Retry-After"]
        assert ";tag=" in (answer["To"] or answer["t"])
        assert len(answer.all("Via")) == way.count(b"Via:")
    first = wire.messages()[-len(ways)]
    assert first["Via"].endswith(";received=198.51.100.1;rport=5060")


def test_17_1_1_3_the_ack_of_a_refusal_ends_there(wire: Wire, alice: Phone, bob: Phone) -> None:
    wire.core.admission.level = FULL
    call = alice.invite("1002")
    before = len(wire.sent)
    call.fails(503)
    wire.core.admission.level = CALM
    call.send()
    wire.core.admission.level = FULL
    alice.response(407)
    assert len(wire.sent) == before + 1
    bob.nothing()


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_a_busy_server_refuses_its_share_evenly_and_nobody_who_has_been_challenged(
    wire: Wire, alice: Phone, bob: Phone, share: float
) -> None:
    """Whether a request comes by the quick or by the long way: each is counted once."""
    challenged = alice.invite("1002")
    alice.inbox.clear()
    wire.core.admission.level, wire.core.admission.share = BUSY, share
    verdicts = []
    for number in range(100):
        call = alice.invite("1002") if number % 3 else alice.other_request("MESSAGE", "sip:1002@x")
        del call
        verdicts.append(final(alice))
    refused = verdicts.count(503)
    assert refused == pytest.approx(100 * share, abs=1)
    every_tenth = [verdicts[at : at + 20].count(503) for at in range(0, 100, 20)]
    assert max(every_tenth) - min(every_tenth) <= 1
    del challenged
