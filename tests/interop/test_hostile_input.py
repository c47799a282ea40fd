"""What no phone would send: the server answers or drops it, stays small and keeps serving."""

from __future__ import annotations

import random
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.interop.conftest import Phones
from tests.support.cast import extension
from tests.support.pbx_process import PbxProcess
from tests.support.wire import Wire
from tests.support.wire_calls import branch

CONFIGURATION = {"extensions": [extension("2201"), extension("2202")]}

GROWTH = 48 * 1024 * 1024
"""How many bytes the engine may hold on to after an attack: buffers and arenas, never the input."""

CONNECTIONS = 1000


@pytest.fixture(autouse=True)
def unharmed(pbx: PbxProcess, phones: Phones) -> Iterator[None]:
    """After each attack: the same process, not much larger, and a call goes through."""
    engine = pbx.engine()
    before = engine.memory()
    yield
    assert engine.is_running(), f"the engine went down\n{pbx.tail()}"
    assert engine.memory() - before < GROWTH
    good_call(phones)


def good_call(phones: Phones, transport: str = "udp") -> None:
    alice, bob = phones.wire("2201", transport=transport), phones.wire("2202", transport=transport)
    call = alice.call("2202")
    there = bob.incoming().answer(acknowledged=False)
    dialog = call.answered()
    bob.wire.receive_request("ACK")
    dialog.request("BYE")
    there.take_bye()
    assert alice.wire.receive_final("BYE").status == 200
    bob.register(contact="*", expires=0)


def request(wire: Wire, *, method: str = "OPTIONS", **changes: str) -> str:
    """A sound request, OPTIONS to the server itself or another method to a number.

    `changes` replace a header line, add one or leave one out ("").
    """
    uri = "sip:pbx.test" if method == "OPTIONS" else "sip:2202@pbx.test"
    lines = {
        "start": f"{method} {uri} SIP/2.0",
        "via": f"Via: SIP/2.0/{wire.transport.upper()} {wire.local};branch={branch()}",
        "hops": "Max-Forwards: 70",
        "from": "From: <sip:a@x.test>;tag=1",
        "to": "To: <sip:pbx.test>",
        "call_id": f"Call-ID: {branch()}",
        "cseq": f"CSeq: 1 {method}",
        "length": "Content-Length: 0",
        **changes,
    }
    return "\n".join(line for line in lines.values() if line) + "\n\n"


@pytest.fixture
def udp(pbx: PbxProcess) -> Iterator[Wire]:
    with Wire(pbx.sip) as wire:
        yield wire


def test_sound_request_is_answered(udp: Wire) -> None:
    """The measure for the cases below: unchanged, this request gets 200."""
    udp.send(request(udp))
    assert udp.receive().status == 200


BAD_REQUESTS: dict[str, tuple[str, dict[str, str], int]] = {
    "no To": ("OPTIONS", {"to": ""}, 400),
    "no From": ("OPTIONS", {"from": ""}, 400),
    "no Call-ID": ("OPTIONS", {"call_id": ""}, 400),
    "no CSeq": ("OPTIONS", {"cseq": ""}, 400),
    "CSeq is no number": ("OPTIONS", {"cseq": "CSeq: one OPTIONS"}, 400),
    "CSeq of 2**31": ("OPTIONS", {"cseq": "CSeq: 2147483648 OPTIONS"}, 400),
    "CSeq of another method": ("OPTIONS", {"cseq": "CSeq: 1 INVITE"}, 400),
    "From cannot be read": ("INVITE", {"from": "From: <sip:a@x.test;tag=1"}, 400),
    "Content-Length beyond the datagram": ("OPTIONS", {"length": "Content-Length: 9999"}, 400),
    "Content-Length is negative": ("OPTIONS", {"length": "Content-Length: -1"}, 400),
    "Content-Length is no number": ("OPTIONS", {"length": "Content-Length: many"}, 400),
    "Max-Forwards is no number": ("INVITE", {"hops": "Max-Forwards: x"}, 400),
    "two To": ("OPTIONS", {"to": "To: <sip:pbx.test>\nTo: <sip:pbx.test>"}, 400),
    "unknown scheme": ("OPTIONS", {"start": "OPTIONS nobody:pbx.test SIP/2.0"}, 416),
    "later version": ("OPTIONS", {"start": "OPTIONS sip:pbx.test SIP/7.0"}, 505),
    "Require that nobody knows": ("OPTIONS", {"extra": "Require: nothing"}, 420),
    "Proxy-Require that nobody knows": ("INVITE", {"extra": "Proxy-Require: nothing"}, 420),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_request_is_told_why_rfc3261_16_3_rfc4475(udp: Wire, name: str) -> None:
    method, changes, status = BAD_REQUESTS[name]
    udp.send(request(udp, method=method, **changes))
    answer = udp.receive()
    assert answer.status == status
    if status == 420:
        assert answer["Unsupported"] == "nothing"


DROPPED = {
    "empty": b"",
    "keep-alive": b"\r\n\r\n",
    "zero bytes": b"\0" * 1000,
    "one line": b"INVITE sip:1@pbx.test SIP/2.0\r\n",
    "no Via": b"OPTIONS sip:pbx.test SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n",
    "Via cannot be read": b"OPTIONS sip:pbx.test SIP/2.0\r\nVia: ???\r\n\r\n",
    "response to nothing": b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\n\r\n",
    "status is no number": b"SIP/2.0 abc OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\r\n",
    "HTTP": b"GET / HTTP/1.1\r\nHost: pbx.test\r\n\r\n",
    "no UTF-8": b"\xff\xfe\xfd sip:\x80@pbx.test SIP/2.0\r\nVia: \xff\r\n\r\n",
    "bare line feeds": b"OPTIONS sip:pbx.test SIP/2.0\n\n\n\n",
}


@pytest.mark.parametrize("name", DROPPED)
def test_what_cannot_be_answered_is_dropped(udp: Wire, name: str) -> None:
    udp.send(DROPPED[name])
    udp.send(request(udp))
    assert udp.receive().status == 200, "the next request is served as if nothing had been"


def test_every_truncation_of_an_invite_rfc4475_3_1_2(phones: Phones, udp: Wire) -> None:
    phone = phones.wire("2201", register=False)
    call = phone.start_call("2202")
    whole = call.sent.replace("\n", "\r\n").encode()
    for end in range(1, len(whole) - 1, 3):
        udp.send(whole[:end])
    udp.send(request(udp, call_id="Call-ID: last"))
    final = udp.receive()
    while final["Call-ID"] != "last":
        assert 400 <= final.status < 500, final
        final = udp.receive()


def test_random_bytes_and_mutations(udp: Wire) -> None:
    chance = random.Random(3261)
    sound = request(udp).replace("\n", "\r\n").encode()
    for _ in range(300):
        udp.send(chance.randbytes(chance.randrange(1, 1500)))
        mutated = bytearray(sound)
        for _ in range(chance.randrange(1, 8)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        udp.send(bytes(mutated))


@pytest.mark.parametrize(
    "line",
    [
        "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx",
        "X-Nothing: 1",
        "Route: <sip:127.0.0.1:9;lr>",
        "Contact: <sip:a@b>",
        'Authorization: Digest realm="pbx.test"',
    ],
)
def test_thousands_of_headers(udp: Wire, line: str) -> None:
    for _ in range(20):
        udp.send(request(udp, hops="\n".join([line] * (60_000 // (len(line) + 2)))))


@pytest.mark.parametrize("where", ["start", "from", "call_id"])
def test_sixty_kilobytes_in_one_field(udp: Wire, where: str) -> None:
    long = "a" * 60_000
    texts = {
        "start": f"OPTIONS sip:{long}@pbx.test SIP/2.0",
        "from": f'From: "{long}" <sip:a@x.test>;tag=1',
        "call_id": f"Call-ID: {long}",
    }
    for _ in range(20):
        udp.send(request(udp, **{where: texts[where]}))


def test_deeply_folded_and_nested_values(udp: Wire) -> None:
    udp.send(request(udp, **{"from": "From: " + "\n " * 20_000 + "<sip:a@x.test>;tag=1"}))
    udp.send(request(udp, **{"from": "From: " + "<" * 30_000 + ";tag=1"}))
    udp.send(request(udp, to="To: " + "(" * 30_000 + "<sip:b@x.test>"))
    udp.send(request(udp, to='To: "' + '\\"' * 20_000 + "<sip:b@x.test>"))


def test_registrations_of_strangers_leave_nothing_behind(pbx: PbxProcess, udp: Wire) -> None:
    for number in range(2000):
        start = "REGISTER sip:pbx.test SIP/2.0"
        udp.send(request(udp, method="REGISTER", start=start, to=f"To: <sip:{number}x@pbx.test>"))
        if number % 50 == 49:
            udp.receive()
    assert not pbx.query("SELECT 1 FROM registrations_binding WHERE aor LIKE '%%x@pbx.test'")


# ------------------------------------------------------------------ TCP


@pytest.fixture
def tcp(pbx: PbxProcess) -> Iterator[Wire]:
    with Wire(pbx.sip, "tcp") as wire:
        yield wire


def test_message_in_single_bytes_is_put_together_rfc3261_18_3(tcp: Wire) -> None:
    for byte in request(tcp).replace("\n", "\r\n").encode():
        tcp.send(bytes([byte]))
    assert tcp.receive().status == 200


def test_several_messages_in_one_write_rfc3261_18_3(tcp: Wire) -> None:
    tcp.send("".join(request(tcp) for _ in range(5)))
    assert [tcp.receive().status for _ in range(5)] == [200] * 5


def test_keep_alive_is_answered_rfc5626_3_5_1(tcp: Wire) -> None:
    tcp.send(b"\r\n\r\n")
    tcp.socket.settimeout(2)
    assert tcp.socket.recv(10) == b"\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 5000,
        b"GET / HTTP/1.1\r\n\r\n",
        b"OPTIONS sip:pbx.test SIP/2.0\r\nContent-Length: -5\r\n\r\n",
        b"OPTIONS sip:pbx.test SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n",
        b"X: " + b"a" * 2_000_000,
    ],
    ids=["zero bytes", "HTTP", "negative length", "length of 100 GB", "endless line"],
)
def test_stream_that_cannot_be_framed_is_closed(tcp: Wire, data: bytes) -> None:
    try:
        tcp.send(data)
    except ConnectionError:
        return  # closed while we were still sending
    assert tcp.is_closed()


def test_thousand_idle_connections(pbx: PbxProcess, phones: Phones) -> None:
    alice, bob = phones.wire("2201", transport="tcp"), phones.wire("2202", transport="tcp")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wanted, hard)), hard))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(CONNECTIONS):
            idle = stack.enter_context(socket.socket())
            idle.settimeout(5)
            try:
                idle.connect(pbx.sip)
                idle.send(b"OPTIONS sip:")
            except OSError:  # refusing more of them is a fair answer
                continue
        call = alice.call("2202")
        bob.incoming().reject(486, "Busy Here")
        call.fails(486)
        good_call(phones)
