"""SIP over WebSocket: real sockets, clients that behave and clients that do not (RFC 7118, RFC 6455)."""

from __future__ import annotations

import dataclasses
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as ws_connect
from websockets.typing import Origin, Subprotocol

from sipengine.net.limits import Limits
from sipengine.net.ws_admission import WsAdmission
from sipengine.relay_note import HEADER, VALID_S, Client, relay_key, write_note
from tests.net.served import DEADLINE, Served, is_closed
from tests.support.wait import until

HELLO = b"OPTIONS sip:a@b SIP/2.0\r\nX: \xc3\xa9\r\n\r\nhello"
KEY = relay_key("the secret of this installation, long enough")


def admission(*origins: str) -> WsAdmission:
    made = WsAdmission(origins, (8080, 8443), KEY)
    made.set_hosts(["pbx.test", "192.0.2.1", "2001:db8::1"])
    return made


@pytest.fixture
def served() -> Iterator[Served]:
    with Served(admission=admission()) as running:
        yield running


def connect(served: Served, path: str = "/", origin: str = "", **more: Any) -> ClientConnection:
    return ws_connect(
        f"ws://127.0.0.1:{served.ws_port}{path}",
        subprotocols=more.pop("subprotocols", [Subprotocol("sip")]),
        origin=Origin(origin) if origin else None,
        compression=None,
        proxy=None,
        open_timeout=DEADLINE,
        close_timeout=DEADLINE,
        ping_interval=None,
        **more,
    )


def exchange(client: ClientConnection) -> None:
    client.send(HELLO.decode())
    assert client.recv(DEADLINE) == HELLO.decode()


@pytest.mark.parametrize("path", ["/", "/sip", "/sip?x=y"])
def test_rfc7118_4_1_a_client_is_taken_with_the_subprotocol_sip(served: Served, path: str) -> None:
    with connect(served, path, subprotocols=["chat", "sip"]) as client:
        assert client.subprotocol == "sip"
        exchange(client)
        flow = served.core.received[0][1]
        assert (flow.transport, flow.remote) == ("WS", client.local_address)
        assert (flow.reliable, flow.stream) == (True, False)


def test_rfc7118_4_2_text_and_binary_and_fragments_are_messages(served: Served) -> None:
    with connect(served) as client:
        exchange(client)
        client.send(HELLO)
        assert client.recv(DEADLINE) == HELLO.decode()
        client.send([HELLO[:1].decode(), "", HELLO[1:].decode()])
        assert client.recv(DEADLINE) == HELLO.decode()
        assert [data for data, _ in served.core.received] == [HELLO] * 3


def test_rfc7118_4_2_what_is_no_utf8_goes_in_a_binary_frame(served: Served) -> None:
    with connect(served) as client:
        client.send(b"MESSAGE \xff\xfe")
        assert client.recv(DEADLINE) == b"MESSAGE \xff\xfe"


def test_rfc7118_6_crlf_and_ping_keep_alives_are_answered(served: Served) -> None:
    with connect(served) as client:
        client.send("\r\n\r\n")
        assert client.recv(DEADLINE) == "\r\n"
        assert client.ping(b"here?").wait(DEADLINE)
        client.send("\r\n")
        client.send("")
        exchange(client)
        assert len(served.core.received) == 1
        assert served.counter("tcp_pings") == 1


def test_the_largest_message_passes_and_a_larger_one_ends_it(served: Served) -> None:
    with connect(served, max_size=None) as client:
        client.send("x" * 65_536)
        assert client.recv(DEADLINE) == "x" * 65_536
        client.send("x" * 65_537)
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(DEADLINE)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009
    until(lambda: len(served.core.failed) == 1, "the end of the flow")


# ---------------------------------------------------------------------- who may come


@pytest.mark.parametrize(
    "origin",
    ["http://pbx.test:8080", "https://pbx.test:8443", "https://pbx.test", "https://192.0.2.1:8443",
     "http://[2001:db8::1]:8080", "https://PBX.test", "https://crm.example"],
)  # fmt: skip
def test_pages_of_our_own_and_listed_ones_may_connect(origin: str) -> None:
    with (
        Served(admission=admission("https://crm.example")) as served,
        connect(served, origin=origin) as client,
    ):
        exchange(client)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://pbx.test:9999", "https://pbx.test.evil.example", "null",
               "https://crm.example.org", "pbx.test"],
)  # fmt: skip
def test_pages_of_strangers_may_not(served: Served, origin: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        connect(served, origin=origin)
    assert caught.value.response.status_code == 403
    assert b"PBX_WS_ORIGINS" in (caught.value.response.body or b"")
    assert served.notes == ["WebSocket refused with 403"]
    assert served.core.received == []


def test_any_origin_may_be_let_in_by_configuration() -> None:
    with (
        Served(admission=admission("any")) as served,
        connect(served, origin="https://evil.example") as client,
    ):
        exchange(client)


def test_another_path_and_no_subprotocol_are_refused(served: Served) -> None:
    for path, subprotocols, status in (
        ("/chat", ["sip"], 404),
        ("/", ["chat"], 400),
        ("/", None, 400),
    ):
        with pytest.raises(InvalidStatus) as caught:
            connect(served, path, subprotocols=subprotocols)
        assert caught.value.response.status_code == status


def test_a_plain_request_is_told_what_this_is(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.ws_port), timeout=DEADLINE) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\nHost: pbx.test\r\n\r\n")
        answer = b""
        while piece := browser.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"Upgrade: websocket" in answer


# ---------------------------------------------------------------------- the relay


def test_the_relay_says_who_the_client_is(served: Served) -> None:
    note = write_note(Client("2001:db8::7", 40_000, secure=True), KEY, time.time())
    with connect(served, additional_headers={HEADER: note}) as client:
        exchange(client)
        flow = served.core.received[0][1]
        assert (flow.transport, flow.remote) == ("WSS", ("2001:db8::7", 40_000))


@pytest.mark.parametrize("fault", ["key", "old", "changed", "empty", "twice"])
def test_nobody_else_can_write_the_relays_note(served: Served, fault: str) -> None:
    client = Client("192.0.2.7", 40_000, secure=True)
    written = time.time() - (VALID_S + 5 if fault == "old" else 0)
    key = relay_key("another") if fault == "key" else KEY
    note = write_note(client, key, written)
    if fault == "changed":
        note = note.replace("192.0.2.7", "192.0.2.8")
    if fault == "empty":
        note = ""
    headers = [(HEADER, note)] * (2 if fault == "twice" else 1)
    with pytest.raises(InvalidStatus) as caught:
        connect(served, additional_headers=headers)
    assert caught.value.response.status_code == 403


def test_relayed_connections_count_for_their_true_source() -> None:
    limits = Limits(per_source=2)
    with Served(admission=admission(), limits=limits) as served:

        def relayed(host: str) -> ClientConnection:
            note = write_note(Client(host, 1, secure=True), KEY, time.time())
            return connect(served, additional_headers={HEADER: note})

        with ExitStack() as clients:
            for host in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"):
                clients.enter_context(relayed(host))
            with pytest.raises(InvalidStatus) as caught, relayed("192.0.2.1"):
                pass
            assert caught.value.response.status_code == 503
            assert served.counter("tcp_refused_source_limit") == 1
        until(lambda: served.counter("tcp_connections") == 0, "all to be closed")
        with relayed("192.0.2.1") as again:
            exchange(again)


# ---------------------------------------------------------------------- hostile frames


class Raw:
    """A WebSocket whose every byte a test decides; masked with zeroes."""

    def __init__(self, served: Served) -> None:
        self.socket = socket.create_connection(("127.0.0.1", served.ws_port), timeout=DEADLINE)
        self.socket.sendall(
            b"GET /sip HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: sip\r\n\r\n"
        )
        self.unread = b""
        while b"\r\n\r\n" not in self.unread:
            self.unread += self.socket.recv(4096)
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")

    def frame(
        self, opcode: int, data: bytes = b"", *, fin: bool = True, mask: bool = True
    ) -> bytes:
        first = (0x80 if fin else 0) | opcode
        size = len(data) if len(data) < 126 else 126
        head = bytes([first, (0x80 if mask else 0) | size])
        if size == 126:
            head += struct.pack("!H", len(data))
        return head + (bytes(4) if mask else b"") + data

    def send(self, *pieces: bytes) -> None:
        try:
            self.socket.sendall(b"".join(pieces))
        except ConnectionError:
            return  # it has been closed already, as it should be

    def close_code(self) -> int:
        """The code of the close frame that comes; 0 if the connection ends without one."""
        data = self.unread
        try:
            while piece := self.socket.recv(65_536):
                data += piece
        except ConnectionError:
            pass
        at = 0
        while at + 2 <= len(data):
            opcode, size = data[at] & 15, data[at + 1]
            at += 2
            if opcode == Opcode.CLOSE:
                return int.from_bytes(data[at : at + 2], "big")
            at += size
        return 0


HOSTILE: dict[str, tuple[int, Any]] = {
    "not masked": (1002, lambda raw: [raw.frame(1, HELLO, mask=False)]),
    "reserved bit": (1002, lambda raw: [bytes([0xC1, 0x80]) + bytes(4)]),
    "reserved opcode": (1002, lambda raw: [raw.frame(3, b"x")]),
    "continuation of nothing": (1002, lambda raw: [raw.frame(0, b"x")]),
    "message within a message": (1002, lambda raw: [raw.frame(1, b"x", fin=False), raw.frame(1, b"y")]),
    "fragmented ping": (1002, lambda raw: [raw.frame(9, b"x", fin=False)]),
    "long ping": (1002, lambda raw: [raw.frame(9, b"x" * 126)]),
    "close of one byte": (1002, lambda raw: [raw.frame(8, b"x")]),
    "huge length": (1009, lambda raw: [b"\x81\xff" + b"\x7f" + b"\xff" * 7 + bytes(4)]),
    "fragments without end": (1008, lambda raw: [raw.frame(1, b"O", fin=False), raw.frame(0, b"", fin=False) * 200]),
    "too large in pieces": (1009, lambda raw: [raw.frame(1, b"x" * 60_000, fin=False), raw.frame(0, b"x" * 60_000)]),
    "text that is no UTF-8": (1007, lambda raw: [raw.frame(1, b"OPTIONS \xff")]),
    "flood of pings": (1008, lambda raw: [raw.frame(9) * 1000]),
}  # fmt: skip


@pytest.mark.parametrize("fault", HOSTILE)
def test_rfc6455_hostile_frames_end_with_the_right_code(served: Served, fault: str) -> None:
    code, frames = HOSTILE[fault]
    raw = Raw(served)
    with raw.socket, connect(served) as other:
        raw.send(*frames(raw))
        assert raw.close_code() == code
        exchange(other)
        assert len(served.core.received) == 1
        assert len(served.notes) == 1
    assert served.defects == []


def test_noise_for_frames_ends_that_connection_alone(served: Served) -> None:
    with connect(served) as other:
        for _ in range(30):
            raw = Raw(served)
            with raw.socket:
                raw.send(os.urandom(2_000))
                raw.socket.shutdown(socket.SHUT_WR)
                raw.close_code()
        exchange(other)
    assert served.defects == []


@pytest.mark.parametrize(
    "opening",
    [b"OPTIONS sip:a SIP/2.0\r\n\r\n", os.urandom(500), b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500 + b"\r\n",
     b"GET /" + b"x" * 20_000, b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000, b"\x16\x03\x01\x00\xc8\x01" + bytes(50) + b"\n"],
)  # fmt: skip
def test_a_broken_opening_request_is_closed(served: Served, opening: bytes) -> None:
    with socket.create_connection(("127.0.0.1", served.ws_port), timeout=DEADLINE) as hostile:
        try:
            hostile.sendall(opening)
            hostile.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was closed in the middle of that
        assert is_closed(hostile)
    assert served.defects == []
    assert served.core.received == []


def test_the_close_handshake_is_answered(served: Served) -> None:
    with connect(served) as client:
        exchange(client)
        client.close(1000, "bye")
        assert client.close_code == 1000
    until(lambda: len(served.core.failed) == 1, "the end of the flow")
    assert served.notes == []


def test_what_comes_in_one_piece_with_the_close_is_still_read(served: Served) -> None:
    """A page that is closed says its last words, BYE and the end of its registration, and is gone."""
    raw = Raw(served)
    with raw.socket:
        raw.send(raw.frame(1, b"BYE"), raw.frame(1, b"REGISTER"), raw.frame(8, b"\x03\xe9"))
        assert raw.close_code() == 1001
    assert [data for data, _ in served.core.received] == [b"BYE", b"REGISTER"]


def test_nothing_is_sent_to_who_has_gone(served: Served) -> None:
    with connect(served) as client:
        exchange(client)
        flow = served.core.received[0][1]
    until(lambda: not flow.open, "the end of the flow")

    def send() -> None:
        served.core.out.append((flow, b"late"))
        served.endpoint.drain(time.monotonic())

    served.call(send)
    assert served.core.failed == [flow, flow]


def test_rfc7118_5_3_nobody_can_be_reached_by_a_websocket_that_he_did_not_open(
    served: Served,
) -> None:
    flow = served.call(lambda: served.endpoint.flow_to("WSS", "df7jal23ls0d.invalid", 0))

    def send() -> None:
        served.core.out.append((flow, b"hello?"))
        served.endpoint.drain(time.monotonic())

    served.call(send)
    assert served.core.failed == [flow]


# ---------------------------------------------------------------------- patience


@pytest.fixture
def _quick_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipengine.net.endpoint.TICK_S", 0.05)


@pytest.mark.usefixtures("_quick_sweeps")
def test_rfc7118_6_a_silent_client_is_pinged_and_the_dead_one_closed() -> None:
    limits = dataclasses.replace(Limits(), ping_s=0.2, first_message_s=60)
    with Served(admission=admission(), limits=limits) as served:
        dead = Raw(served)
        with dead.socket, connect(served) as alive:
            assert dead.close_code() == 1001, "a ping first, then the end"
            assert served.counter("tcp_timed_out") == 1
            exchange(alive)


@pytest.mark.usefixtures("_quick_sweeps")
@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nHost:"])
def test_an_opening_request_that_never_ends_is_closed(beginning: bytes) -> None:
    limits = dataclasses.replace(Limits(), connect_s=0.2)
    with Served(admission=admission(), limits=limits) as served:
        with socket.create_connection(("127.0.0.1", served.ws_port), timeout=DEADLINE) as slow:
            slow.sendall(beginning)
            assert is_closed(slow)
        assert served.notes == ["handshake too slow"]


@pytest.mark.usefixtures("_quick_sweeps")
def test_half_a_message_is_waited_for_only_so_long() -> None:
    limits = dataclasses.replace(Limits(), rest_of_message_s=0.2)
    with Served(admission=admission(), limits=limits) as served:
        for piece in (Frame(Opcode.TEXT, b"OPTIONS", fin=False).serialize(mask=True),
                      Frame(Opcode.TEXT, b"OPTIONS").serialize(mask=True)[:-1]):  # fmt: skip
            raw = Raw(served)
            with raw.socket:
                raw.send(piece)
                assert is_closed(raw.socket)
        assert served.notes == ["too slow"] * 2


def test_a_slow_reader_is_closed_beyond_the_bound(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sipengine.net.tcp.UNSENT_PEER", 100_000)
    raw = Raw(served)
    with raw.socket, connect(served) as other:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.socket.settimeout(0.05)
        end = time.monotonic() + DEADLINE
        while not served.core.failed and time.monotonic() < end:
            try:
                raw.socket.send(raw.frame(1, b"x" * 60_000))
            except (TimeoutError, ConnectionError):
                continue
        assert served.counter("tcp_slow_readers") == 1
        exchange(other)


def test_the_end_of_the_engine_is_said_to_clients() -> None:
    with ExitStack() as client_lives_longer:
        with Served(admission=admission()) as served:
            client = client_lives_longer.enter_context(connect(served))
            exchange(client)
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(DEADLINE)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001
