"""The messages that are kept of calls: all of them, of each call its own, within the limits."""

from __future__ import annotations

from collections import Counter

import pytest

from sipengine.services import traces
from sipengine.services.traces import Traces, call_id_of
from sipengine.sip.flow import Flow
from sipengine.sip.trace import Trace, Traced
from sipengine.sip.transaction.layer import TransactionLayer
from tests.services.conftest import registered
from tests.services.events.watcher import watching
from tests.services.test_click_to_call import Heard, picked_up
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire

Seen = Counter[tuple[bool, str, bytes]]


@pytest.fixture
def heard(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Flow, bytes]]:
    """What the server received."""
    heard: list[tuple[Flow, bytes]] = []
    receive = wire.receive

    def listening(data: bytes, flow: Flow) -> None:
        heard.append((flow, data))
        receive(data, flow)

    monkeypatch.setattr(wire, "receive", listening)
    return heard


def kept(wire: Wire, call_id: str) -> list[Traced]:
    return [one for trace in wire.core.traces.of([call_id]) for one in trace.messages()]


def is_whole(wire: Wire, heard: list[tuple[Flow, bytes]], call_id: str) -> Seen:
    """The trace has all that went over the wire with this Call-ID, and nothing else."""
    came: Seen = Counter((True, repr(f), d) for f, d in heard if call_id_of(d) == call_id)
    went: Seen = Counter((False, repr(f), d) for f, d in wire.sent if call_id_of(d) == call_id)
    told: Seen = Counter((one.received, repr(one.flow), one.data) for one in kept(wire, call_id))
    assert told == came + went
    return told


def first_words(messages: list[Traced]) -> list[str]:
    return [
        ("> " if one.received else "< ") + one.data.split(b"\r\n")[0].decode()[:11]
        for one in messages
    ]


def test_a_call_is_kept_whole_and_in_order(
    wire: Wire, heard: list[tuple[Flow, bytes]], alice: Phone, bob: Phone
) -> None:
    call = alice.call("1002")
    incoming = bob.incoming()
    incoming.ring()
    call.rings()
    incoming.send_ok()
    talk = call.answered()
    bob.request("ACK")
    wire.advance(10)
    talk.request("BYE")
    bob.reply(bob.request("BYE"), 200)
    alice.response(200)
    is_whole(wire, heard, call.call_id)
    assert [words[:9] for words in first_words(kept(wire, call.call_id))] == [
        "> INVITE ", "< SIP/2.0", "> ACK sip", "> INVITE ", "< SIP/2.0", "< INVITE ", "> SIP/2.0",
        "< SIP/2.0", "> SIP/2.0", "< SIP/2.0", "> ACK sip", "< ACK sip", "> BYE sip", "< BYE sip",
        "> SIP/2.0", "< SIP/2.0",
    ]  # fmt: skip
    times = [one.at for one in kept(wire, call.call_id)]
    assert times == sorted(times)
    assert times[-1] - times[0] >= 10


def test_a_refused_call_is_kept_with_its_challenge(
    wire: Wire, heard: list[tuple[Flow, bytes]], alice: Phone
) -> None:
    call = alice.call("1999")
    call.ack_failure(call.fails(404))
    told = is_whole(wire, heard, call.call_id)
    assert sum(b"SIP/2.0 407" in data[:11] for _, _, data in told) == 1
    assert sum(b"SIP/2.0 404" in data[:11] for _, _, data in told) == 1


def test_a_wrong_password_is_kept_though_there_is_no_call(
    wire: Wire, heard: list[tuple[Flow, bytes]], alice: Phone
) -> None:
    call = alice.invite("1002")
    call.authenticate(password="wrong")
    is_whole(wire, heard, call.call_id)
    assert not wire.rows


def test_a_fork_and_its_cancels_are_kept(
    wire: Wire, heard: list[tuple[Flow, bytes]], alice: Phone, bob: Phone
) -> None:
    other = registered(wire, "1002", "198.51.100.9")
    call = alice.call("1002")
    first, second = bob.incoming(), other.incoming()
    first.ring()
    second.ring()
    call.rings()
    call.rings()
    second.send_ok()
    call.answered()
    first.cancelled()
    wire.advance(2)
    told = is_whole(wire, heard, call.call_id)
    assert sum(data.startswith(b"CANCEL ") for _, _, data in told) == 1
    assert sum(data.startswith(b"SIP/2.0 487") for _, _, data in told) == 1


def test_what_timers_send_is_kept(
    wire: Wire, heard: list[tuple[Flow, bytes]], alice: Phone, bob: Phone
) -> None:
    call = alice.call("1002")
    bob.incoming()  # and not a word from there
    wire.advance(120)
    told = is_whole(wire, heard, call.call_id)
    assert max(told.values()) >= 6, "the INVITE was sent again and again"
    assert any(data.startswith(b"SIP/2.0 408") for _, _, data in told)


def test_retransmissions_and_strays_are_kept(
    wire: Wire, heard: list[tuple[Flow, bytes]], alice: Phone, bob: Phone
) -> None:
    call = alice.call("1002")
    call.send()
    incoming = bob.incoming()
    incoming.reject(486)
    call.rings(100)
    call.ack_failure(call.fails(486))
    wire.advance(60)
    bob.reply(incoming.invite, 486)
    is_whole(wire, heard, call.call_id)


def test_a_call_of_our_own_is_kept(
    wire: Wire, heard: list[tuple[Flow, bytes]], alice: Phone, bob: Phone
) -> None:
    out = len(wire.core.out)
    wire.core.agent.click_to_call.dial("1001", "1002", Heard(), wire.now)
    wire.core.traces.sent_otherwise(out, wire.now)  # as the shell does
    wire.settle()
    talk = picked_up(wire, alice)
    bob.incoming().answer()
    wire.advance(1)
    told = is_whole(wire, heard, talk.call_id)
    assert len({flow for _, flow, _ in told}) == 2


def test_somebody_watching_a_phone_does_not_fill_the_trace(
    wire: Wire, heard: list[tuple[Flow, bytes]], alice: Phone, bob: Phone, carol: Phone
) -> None:
    watching(carol, "1002")
    assert wire.core._calls.watcher is not None
    call = alice.call("1002")
    bob.incoming().ring()
    is_whole(wire, heard, call.call_id)


def test_requests_that_are_no_call_are_not_kept(wire: Wire, alice: Phone) -> None:
    alice.send(alice.authenticated("OPTIONS", f"sip:1002@{DOMAIN}"))
    assert len(wire.core.traces) == 0


def test_nothing_is_kept_if_nobody_wants_it(alice: Phone, bob: Phone, wire: Wire) -> None:
    wire.core.traces._most = 0
    call = alice.call("1002")
    bob.incoming().ring()
    call.rings()
    assert len(wire.core.traces) == 0
    assert wire.core.traces.size == 0


# ------------------------------------------------------------------ limits


def flow(port: int = 5060) -> Flow:
    return Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.7", port))


def message(call_id: str, size: int = 200, first: str = "INVITE sip:x SIP/2.0") -> bytes:
    head = f"{first}\r\nCall-ID: {call_id}\r\nX: ".encode()
    return head + b"x" * (size - len(head) - 4) + b"\r\n\r\n"


@pytest.fixture
def small() -> Traces:
    """Room for 10,000 bytes."""
    return Traces(TransactionLayer(), 10_000)


def send(traces: Traces, data: bytes, now: float = 1.0) -> None:
    layer = traces._layer
    layer.out[:] = [(flow(), data)]
    traces.sent_otherwise(0, now)


def test_the_oldest_ended_calls_make_room(small: Traces) -> None:
    for number in range(10):
        small.admitted(f"call-{number}", 1.0)
        send(small, message(f"call-{number}", 1500))
        if number:
            small.ended(f"call-{number}")
    assert small.size <= 10_000
    assert small.of(["call-0"]), "it goes on still"
    assert not small.of(["call-1"])
    assert small.of(["call-9"])
    assert small.size == sum(
        one.memory for n in range(10) for t in small.of([f"call-{n}"]) for one in t.messages()
    )


def test_calls_going_on_make_room_too_when_there_is_nothing_else(small: Traces) -> None:
    for number in range(200):
        small.admitted(f"call-{number}", 1.0)
        send(small, message(f"call-{number}", 1500))
    assert small.size <= 10_000


def test_a_scanner_pushes_out_no_call(small: Traces) -> None:
    small.admitted("call", 1.0)
    send(small, message("call"))
    small.ended("call")
    for number in range(traces.STRANGERS * 2):
        send(small, message(f"scan-{number}", 30))
    assert small.of(["call"])
    assert traces.SPARED < len(small) <= traces.STRANGERS + 1


def test_a_long_call_keeps_its_beginning_and_its_end(small: Traces) -> None:
    trace = Trace("call", 1.0)
    for number in range(100):
        trace.entries += [float(number), flow(), message("call", 100, f"BYE sip:{number} SIP/2.0")]
        trace.size += 100
    trace.cut(2000)
    assert trace.size <= 2000
    for number in range(100, 120):
        trace.entries += [float(number), flow(), message("call", 100, f"BYE sip:{number} SIP/2.0")]
        trace.size += 100
    trace.cut(2000)
    left = trace.messages()
    assert [one.at for one in left[: trace.gap]] == [float(n) for n in range(trace.gap)]
    assert left[-1].at == 119.0
    assert len(left) + trace.missing == 120
    assert all(one.received for one in left)


def test_cut_keeps_who_sent_what() -> None:
    trace = Trace("call", 1.0)
    trace.entries += [
        1.0,
        flow(),
        message("c", 100),
        flow(2),
        message("c", 110),
        flow(3),
        message("c", 90),
    ]
    trace.entries += [2.0, flow(), b"", flow(2), message("c", 100)]
    before = [(one.at, one.received, one.flow, one.data) for one in trace.messages()]
    assert [one[1] for one in before] == [True, False, False, False]
    trace.cut(10_000)
    assert [(one.at, one.received, one.flow, one.data) for one in trace.messages()] == before
    trace.cut(400)
    assert [(one.at, one.received) for one in trace.messages()] == [(1.0, True), (2.0, False)]
    assert trace.missing == 2


def test_a_stranger_s_endless_call_id_has_less_room(small: Traces) -> None:
    for number in range(100):
        send(small, message("scan", 1000), float(number))
    assert small.size <= traces.STRANGER_BYTES


def test_old_calls_are_let_go_of(small: Traces) -> None:
    small.admitted("call", 1.0)
    send(small, message("call"))
    small.admitted("later", 5000.0)
    small.ended("call")
    small.sweep(1.0 + traces.KEPT_S)
    assert not small.of(["call"])
    assert small.of(["later"])
    assert small.size == 0


@pytest.mark.parametrize(
    "spelling", ["Call-ID: x@y", "call-id:x@y ", "i:  x@y", "Call-ID:\r\n x@y"]
)
def test_call_id_is_found_however_it_is_spelt(spelling: str) -> None:
    assert call_id_of(f"BYE sip:a SIP/2.0\r\nTo: b\r\n{spelling}\r\n\r\n".encode()) == "x@y"
    assert call_id_of(b"BYE sip:a SIP/2.0\r\n\r\nCall-ID: x@y\r\n") == ""
