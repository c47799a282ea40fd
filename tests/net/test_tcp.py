"""TCP over real loopback sockets: framing, keep-alives, limits, patience (RFC 3261 §18, RFC 5626)."""

from __future__ import annotations

import dataclasses
import socket
import struct
import time
from functools import partial
from typing import Any

import pytest

from sipengine.net import connections, tcp
from sipengine.net.limits import Limits
from sipengine.net.tcp import TcpFlow
from tests.net.served import DEADLINE, Served, is_closed, read_exactly
from tests.support.wait import until

HELLO = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 5\r\n\r\nhello"


def test_messages_are_cut_and_answered_in_order() -> None:
    with Served() as served, served.tcp() as phone:
        phone.sendall(HELLO * 3 + HELLO[:20])
        assert read_exactly(phone, 3 * len(HELLO)) == HELLO * 3
        phone.sendall(HELLO[20:])
        assert read_exactly(phone, len(HELLO)) == HELLO
        flow = served.core.received[0][1]
        assert (flow.transport, flow.reliable, flow.open) == ("TCP", True, True)
        assert flow.remote == phone.getsockname()
        assert flow.local == ("127.0.0.1", served.port)


def test_rfc5626_4_4_1_a_ping_is_answered_by_a_pong() -> None:
    with Served() as served, served.tcp() as phone:
        phone.sendall(b"\r\n\r\n")
        assert read_exactly(phone, 2) == b"\r\n"
        phone.sendall(b"\r\n")
        phone.sendall(HELLO)
        assert read_exactly(phone, len(HELLO)) == HELLO
        phone.sendall(b"\r\n\r\n\r\n\r\n")
        assert read_exactly(phone, 4) == b"\r\n\r\n"


def test_a_closed_connection_is_told_to_the_core() -> None:
    with Served() as served:
        with served.tcp() as phone:
            phone.sendall(HELLO)
            read_exactly(phone, len(HELLO))
            flow = served.core.received[0][1]
        until(lambda: served.core.failed == [flow], "the end of the connection")
        assert not flow.open
        assert served.counter("tcp_connections") == 0


def test_a_reset_connection_is_told_to_the_core() -> None:
    with Served() as served:
        phone = served.tcp()
        phone.sendall(HELLO)
        read_exactly(phone, len(HELLO))
        phone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        phone.close()
        until(lambda: len(served.core.failed) == 1, "the end of the connection")


def test_who_ends_his_sending_still_gets_the_answers_to_what_he_sent() -> None:
    with Served() as served, served.tcp() as phone:
        phone.sendall(HELLO)
        phone.shutdown(socket.SHUT_WR)
        assert read_exactly(phone, len(HELLO)) == HELLO
        assert is_closed(phone)


def test_a_broken_stream_is_answered_and_closed() -> None:
    broken = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: -5\r\n\r\n"
    with Served() as served, served.tcp() as phone:
        phone.sendall(HELLO + broken + HELLO)
        assert read_exactly(phone, 9999) == HELLO + broken
        assert served.notes == ["broken Content-Length"]
        until(lambda: len(served.core.failed) == 1, "the end of the connection")


def test_what_is_not_sip_is_closed_without_a_word() -> None:
    with Served() as served, served.tcp() as phone:
        phone.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert phone.recv(100) == b""
        assert served.core.received == []
        assert served.counter("tcp_broken_streams") == 1


def test_the_core_may_close_a_connection_after_its_last_answer() -> None:
    with Served() as served, served.tcp() as phone:
        phone.sendall(HELLO)
        read_exactly(phone, len(HELLO))
        flow = served.core.received[0][1]

        def answer_and_close() -> None:
            served.core.out.append((flow, b"bye"))
            served.endpoint.close(flow)
            served.endpoint.drain(time.monotonic())

        served.call(answer_and_close)
        assert read_exactly(phone, 100) == b"bye"
        assert not flow.open


def test_connections_of_one_address_are_limited() -> None:
    with Served(limits=Limits(per_source=2)) as served:
        with served.tcp() as one, served.tcp() as two:
            with served.tcp() as three:
                assert is_closed(three)
            for phone in (one, two):
                phone.sendall(HELLO)
                assert read_exactly(phone, len(HELLO)) == HELLO
        until(lambda: served.counter("tcp_connections") == 0, "all to be closed")
        with served.tcp() as again:
            again.sendall(HELLO)
            assert read_exactly(again, len(HELLO)) == HELLO
        assert served.counter("tcp_refused_source_limit") == 1


def test_the_limit_of_one_address_can_be_lifted() -> None:
    with Served(limits=Limits(per_source=0)) as served:
        phones = [served.tcp() for _ in range(20)]
        until(lambda: served.counter("tcp_connections") == 20, "all connections")
        for phone in phones:
            phone.close()


def test_connections_in_all_are_limited() -> None:
    with Served(limits=Limits(total=1)) as served, served.tcp() as one:
        one.sendall(HELLO)
        read_exactly(one, len(HELLO))
        with served.tcp() as two:
            assert is_closed(two)
        assert served.counter("tcp_refused_total_limit") == 1


IMPATIENT = Limits(first_message_s=0.2, rest_of_message_s=0.2, idle_s=0.2)
PATIENT = Limits(first_message_s=60, rest_of_message_s=60, idle_s=60)


@pytest.fixture
def _quick_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipengine.net.endpoint.TICK_S", 0.05)


@pytest.mark.usefixtures("_quick_sweeps")
def test_who_never_says_anything_is_closed() -> None:
    limits = dataclasses.replace(PATIENT, first_message_s=0.2)
    with Served(limits=limits) as served, served.tcp() as silent, served.tcp() as phone:
        phone.sendall(HELLO)
        assert is_closed(silent)
        assert served.counter("tcp_connections") == 1
        assert served.notes == ["too slow"]


@pytest.mark.usefixtures("_quick_sweeps")
def test_a_slow_loris_is_closed_however_busily_it_drips() -> None:
    limits = dataclasses.replace(PATIENT, rest_of_message_s=0.3)
    with Served(limits=limits) as served, served.tcp() as loris:
        loris.sendall(HELLO)
        read_exactly(loris, len(HELLO))
        loris.settimeout(0.02)
        end = time.monotonic() + DEADLINE
        closed = False
        while not closed and time.monotonic() < end:
            try:
                loris.sendall(b"O")
                closed = loris.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                closed = True
        assert closed
        assert served.notes == ["too slow"]


@pytest.mark.usefixtures("_quick_sweeps")
def test_a_peer_in_the_middle_of_message_after_message_is_not_taken_for_a_loris() -> None:
    limits = dataclasses.replace(PATIENT, rest_of_message_s=0.4)
    with Served(limits=limits) as served, served.tcp() as phone:
        phone.sendall(HELLO[:30])
        begun = time.monotonic()
        while time.monotonic() < begun + 1.0:
            phone.sendall(HELLO[30:] + HELLO[:30])
            assert read_exactly(phone, len(HELLO)) == HELLO
        assert served.notes == []


@pytest.mark.usefixtures("_quick_sweeps")
def test_an_idle_connection_is_closed() -> None:
    limits = dataclasses.replace(PATIENT, idle_s=0.2)
    with Served(limits=limits) as served, served.tcp() as phone:
        phone.sendall(HELLO)
        read_exactly(phone, len(HELLO))
        assert is_closed(phone)
        assert served.counter("tcp_timed_out") == 1


def test_a_slow_reader_is_closed_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "UNSENT_PEER", 100_000)
    large = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000
    with Served() as served, served.tcp() as phone, served.udp() as other:
        phone.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        phone.settimeout(0.05)
        end = time.monotonic() + DEADLINE
        while not served.core.failed and time.monotonic() < end:
            try:
                phone.send(large)
            except (TimeoutError, ConnectionError):
                continue
        assert served.counter("tcp_slow_readers") == 1
        assert served.counter("tcp_unsent_bytes") == 0
        assert served.notes == ["does not read"]
        other.send(b"still here")
        assert other.recv(100) == b"still here"


def test_a_reader_that_is_slow_for_a_while_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "UNSENT_PEER", 50_000_000)
    head = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 60000\r\n\r\n"
    with Served() as served, served.tcp() as phone:
        flow = _flow_of(served, phone)

        def send_much() -> None:
            for n in range(200):
                served.core.out.append((flow, head + b"%d" % (n % 10) * 60_000))
            served.endpoint.drain(time.monotonic())

        served.call(send_much)
        assert served.counter("tcp_unsent_bytes") > 0
        for n in range(200):
            assert read_exactly(phone, len(head) + 60_000) == head + b"%d" % (n % 10) * 60_000
        until(lambda: served.counter("tcp_unsent_bytes") == 0, "all to be sent")
        phone.sendall(HELLO)
        assert read_exactly(phone, len(HELLO)) == HELLO


def test_all_slow_readers_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "UNSENT_ALL", 100_000)
    monkeypatch.setattr(tcp, "UNSENT_PEER", 50_000_000)
    with Served() as served, served.tcp() as phone:
        flow = _flow_of(served, phone)

        def send_much() -> None:
            served.core.out.append((flow, b"x" * 20_000_000))
            served.endpoint.drain(time.monotonic())

        served.call(send_much)
        until(lambda: served.core.failed == [flow], "the end of the connection")


def _flow_of(served: Served, phone: socket.socket) -> TcpFlow:
    phone.sendall(HELLO)
    read_exactly(phone, len(HELLO))
    flow = served.core.received[-1][1]
    assert isinstance(flow, TcpFlow)
    return flow


# ---------------------------------------------------------------------- connections of ours


def test_a_connection_is_made_by_the_first_send_and_used_again() -> None:
    with Served() as served, socket.create_server(("127.0.0.1", 0)) as peer:
        peer.settimeout(DEADLINE)
        address = peer.getsockname()
        flow = served.call(lambda: served.endpoint.flow_to("TCP", *address))
        assert served.call(lambda: served.endpoint.flow_to("TCP", *address)) is flow

        def send() -> None:
            served.core.out += [(flow, b"one"), (flow, b"two")]
            served.endpoint.drain(time.monotonic())

        served.call(send)
        there, _ = peer.accept()
        with there:
            there.settimeout(DEADLINE)
            assert read_exactly(there, 6) == b"onetwo"
            there.sendall(HELLO)
            until(lambda: served.core.received == [(HELLO, flow)], "the peer's request")
            assert served.call(lambda: served.endpoint.flow_to("TCP", *address)) is flow
            assert served.counter("tcp_connects") == 1


def test_flow_to_finds_the_connection_that_a_phone_made() -> None:
    with Served() as served, served.tcp() as phone:
        flow = _flow_of(served, phone)
        address = phone.getsockname()
        assert served.call(lambda: served.endpoint.flow_to("TCP", *address)) is flow


def test_a_refused_connection_fails_its_flow_and_a_later_one_may_succeed() -> None:
    with Served() as served:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            address = gone.getsockname()
        flow = served.call(lambda: served.endpoint.flow_to("TCP", *address))

        def send() -> None:
            served.core.out.append((flow, b"one"))
            served.endpoint.drain(time.monotonic())

        served.call(send)
        until(lambda: served.core.failed == [flow], "the refusal")
        assert not flow.open
        assert served.counter("tcp_connect_failures") == 1
        assert served.call(lambda: served.endpoint.flow_to("TCP", *address)) is not flow


@pytest.mark.usefixtures("_quick_sweeps")
def test_a_connection_that_nobody_accepts_fails_in_time() -> None:
    limits = dataclasses.replace(PATIENT, connect_s=0.3)
    with (
        Served(limits=limits) as served,
        socket.create_server(("127.0.0.1", 0), backlog=0) as peer,
        socket.create_connection(peer.getsockname()),  # fills the backlog
    ):
        address = peer.getsockname()
        flows = [TcpFlow(served.connections, ("", 0), address) for _ in range(3)]

        def send() -> None:
            for flow in flows:
                for n in range(tcp.WAITING_MESSAGES + 5):
                    served.core.out.append((flow, b"%d" % n))
            served.endpoint.drain(time.monotonic())

        served.call(send)
        until(lambda: flows[-1] in served.core.failed, "the end of patience")
        assert served.counter("tcp_unsent_messages") >= 5


def test_a_host_name_is_looked_up_before_connecting() -> None:
    with Served() as served, socket.create_server(("127.0.0.1", 0)) as peer:
        peer.settimeout(DEADLINE)
        port = peer.getsockname()[1]
        flow = served.call(lambda: served.endpoint.flow_to("TCP", "localhost", port))

        def send() -> None:
            served.core.out.append((flow, b"one"))
            served.endpoint.drain(time.monotonic())

        served.call(send)
        there, _ = peer.accept()
        with there:
            there.settimeout(DEADLINE)
            assert read_exactly(there, 3) == b"one"
        assert flow.remote == ("127.0.0.1", port)
        until(lambda: served.core.failed == [flow], "the end of the connection")


def test_sending_on_a_connection_that_is_gone_fails_again() -> None:
    with Served() as served:
        with served.tcp() as phone:
            flow = _flow_of(served, phone)
        until(lambda: served.core.failed == [flow], "the end of the connection")

        def send() -> None:
            served.core.out.append((flow, b"one"))
            served.endpoint.drain(time.monotonic())

        served.call(send)
        assert served.core.failed == [flow, flow]


@pytest.mark.usefixtures("_quick_sweeps")
def test_flows_that_are_asked_for_and_never_used_are_forgotten() -> None:
    limits = dataclasses.replace(PATIENT, connect_s=0.1)
    with Served(limits=limits) as served:
        for port in range(1, 50):
            served.call(partial(served.endpoint.flow_to, "TCP", "127.0.0.1", port))
        table = served.connections
        until(lambda: not table._by_remote and not table.opening, "them to be forgotten")
        assert served.core.failed == []


def test_running_out_of_descriptors_pauses_accepting_and_goes_on() -> None:
    with Served() as served:
        listener = next(iter(served.connections.listeners._transports))

        class Exhausted:
            """The listener as it is when the process has no descriptor left."""

            calls = 0

            def accept(self) -> None:
                Exhausted.calls += 1
                raise OSError(24, "Too many open files")

            def fileno(self) -> int:
                return listener.fileno()

        def exhaust() -> None:
            fd = listener.fileno()
            served.loop.remove_reader(fd)
            acceptable: Any = served.connections.listeners.acceptable
            served.loop.add_reader(fd, acceptable, Exhausted())

        served.call(exhaust)
        with served.tcp(), served.udp() as phone:
            until(lambda: Exhausted.calls == 1, "the failed accept")
            phone.send(b"udp works on")
            assert phone.recv(100) == b"udp works on"
            until(lambda: Exhausted.calls == 2, "the second try", deadline=3)


def test_both_address_families_are_served_on_the_ipv6_wildcard() -> None:
    with Served("::") as served:
        for host in ("127.0.0.1", "::1"):
            with served.tcp(host) as phone:
                phone.sendall(HELLO)
                assert read_exactly(phone, len(HELLO)) == HELLO
                assert served.core.received[-1][1].remote == phone.getsockname()[:2]
