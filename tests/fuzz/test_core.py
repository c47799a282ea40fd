"""Messages by the grammar against the whole core: it never raises, what it sends is sound, nothing is left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipengine.net.framing import StreamFramer
from sipengine.sip.parser import parse
from tests.fuzz.effort import effort
from tests.fuzz.grammar import REQUESTS, RESPONSES, answering
from tests.services.conftest import person, registered
from tests.services.user_agents import Phone
from tests.services.wire import DOMAIN, Wire, snapshot

SOURCES = ["alice", "bob", "tcp", "stranger", "response", "wait"]
WAITS = st.sampled_from([0.6, 5.0, 33.0])
MOST_TRANSACTIONS = 200
"""More than so few messages can begin, each of them forked to both phones of Bob."""


def office() -> Wire:
    """Alice, Bob with two phones; a call that rings is going on."""
    people = [person("1001", "Alice"), person("1002", "Bob", forward_busy="1003"), person("1003")]
    wire = Wire(snapshot(people))
    alice = registered(wire, "1001", "198.51.100.1")
    registered(wire, "1002", "198.51.100.2")
    registered(wire, "1002", "198.51.100.3", transport="TCP")
    alice.call("1002")
    return wire


def asked_by(wire: Wire) -> list[tuple[str, str]]:
    """The Vias and the CSeq of what the server has asked."""
    return [("\r\nVia: ".join(m.all("Via")), m["CSeq"]) for m in wire.messages() if m.is_request]


def check_sent(wire: Wire, since: int) -> None:
    """Everything that went out is a whole message that a strict peer takes."""
    for flow, data in wire.sent[since:]:
        if data.startswith((b"SIP/2.0 400 ", b"SIP/2.0 505 ", b"SIP/2.0 513 ")):
            assert data.endswith(b"\r\nContent-Length: 0\r\n\r\n")
            continue  # it repeats what was broken (RFC 4475 §3.3.1)
        message = parse(data, True)
        assert message.value("Content-Length") is not None
        if message.status:
            assert 100 <= message.status < 700
            assert message.method != "ACK"
        else:
            assert message.all("Via")[0].startswith(f"SIP/2.0/{flow.transport} ")
            hops = message.value("Max-Forwards")
            assert hops is not None
            assert 0 <= int(hops) <= 255


def settled(wire: Wire) -> None:
    wire.advance(400)
    wire.beat()
    assert wire.transactions == 0
    counters = wire.core.counters()
    assert counters["calls_now"] <= len(wire.rows)


@effort(120)
@given(st.data(), st.lists(st.sampled_from(SOURCES), min_size=1, max_size=10))
def test_whatever_comes_the_core_stands_and_what_it_sends_is_sound(
    data: st.DataObject, sources: list[str]
) -> None:
    wire = office()
    flows = {
        "alice": wire.flow_to("UDP", "198.51.100.1", 5060),
        "bob": wire.flow_to("UDP", "198.51.100.2", 5060),
        "tcp": wire.flow_to("TCP", "198.51.100.3", 5060),
        "stranger": wire.flow_to("UDP", "203.0.113.7", 5060),
    }
    since = len(wire.sent)
    for source in sources:
        if source == "wait":
            wire.advance(data.draw(WAITS))
        elif source == "response":
            wire.receive(answering(data.draw(RESPONSES), asked_by(wire)), flows["bob"])
        else:
            wire.receive(data.draw(REQUESTS), flows[source])
        assert wire.transactions <= MOST_TRANSACTIONS
    wire.beat()
    check_sent(wire, since)
    settled(wire)


@effort(120)
@given(st.data(), st.integers(1, 6))
def test_who_knows_the_password_can_break_no_more(data: st.DataObject, count: int) -> None:
    """Requests of a registered phone with credentials that hold, everything else drawn."""
    wire = office()
    alice = next(p for p in wire._phones.values() if isinstance(p, Phone) and p.number == "1001")
    since = len(wire.sent)
    for _ in range(count):
        broken = data.draw(REQUESTS)
        head, _, body = broken.decode("latin-1").partition("\r\n\r\n")
        drawn = [
            line
            for line in head.split("\r\n")[1:]
            if not line.startswith(("Via", "From", "To", "Call-ID", "CSeq", "Content-", "Max-F"))
        ]
        alice.inbox.clear()
        call = alice.invite(f"sip:1002@{DOMAIN}", body=body or "v=0\r\n")
        if alice.inbox and alice.inbox[0].status == 407:
            call.ack_failure(alice.inbox[0])
            call.authenticate_with(alice.inbox.popleft())
            call.extra = "".join(f"{line}\n" for line in drawn)
            call.send()
        for phone in list(wire._phones.values()):
            while phone.inbox:
                phone.inbox.popleft()
        if data.draw(st.booleans()):
            wire.receive(
                answering(data.draw(RESPONSES), asked_by(wire)),
                wire.flow_to("UDP", "198.51.100.2", 5060),
            )
    check_sent(wire, since)
    settled(wire)


@effort(60)
@given(st.lists(REQUESTS, min_size=1, max_size=6), st.lists(st.integers(1, 900), max_size=12))
def test_a_stream_gives_the_same_however_it_is_cut(messages: list[bytes], cuts: list[int]) -> None:
    """TCP may cut and join as it likes; the answers are those to the whole.

    Only what is no SIP may be noticed sooner or later, and then the stream ends there.
    """
    stream = b"".join(messages)

    def answers(pieces: list[bytes]) -> list[bytes]:
        wire = Wire(snapshot([person("1001")]))
        flow = wire.flow_to("TCP", "198.51.100.1", 40000)
        framer = StreamFramer()
        for piece in pieces:
            for whole in framer.feed(piece):
                wire.receive(whole, flow)
        return [data.partition(b"\r\n")[0] for _, data in wire.sent]

    pieces, rest = [], stream
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    in_pieces, at_once = answers([*pieces, rest]), answers([stream])
    shorter = min(len(in_pieces), len(at_once))
    assert in_pieces[:shorter] == at_once[:shorter]
