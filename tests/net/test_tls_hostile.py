"""TLS and peers that mean no good: half-open, slow, silent, deaf. Limits hold and others go on."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sipengine.net import tcp
from sipengine.net.certificates import Certificates
from sipengine.net.limits import Limits
from tests.net.certificate_files import Authority
from tests.net.served import DEADLINE, Served, is_closed, read_exactly
from tests.support.wait import until

HELLO = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 5\r\n\r\nhello"
CLIENT_HELLO = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(range(90))
"""The first half of one."""
ELSEWHERE = ("127.0.0.2", 0)
"""Another address on the loopback: whoever is there is not behind the attacker's."""
PATIENT = Limits(connect_s=60, first_message_s=60, rest_of_message_s=60, idle_s=60)

Serve = Callable[[Limits], Served]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def serve(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setattr("sipengine.net.endpoint.TICK_S", 0.05)
    certificates = Certificates(authority.files("pbx.test", "127.0.0.1"))
    with ExitStack() as running:

        def start(limits: Limits) -> Served:
            return running.enter_context(Served(certificates=certificates, limits=limits))

        yield start


def plain(served: Served, source: tuple[str, int] | None = None) -> socket.socket:
    address = ("127.0.0.1", served.tls_port)
    return socket.create_connection(address, timeout=DEADLINE, source_address=source)


def secure(
    served: Served, authority: Authority, source: tuple[str, int] | None = None
) -> ssl.SSLSocket:
    return authority.client().wrap_socket(plain(served, source))


def exchange(phone: socket.socket) -> float:
    """One message there and back; how long it took."""
    begun = time.monotonic()
    phone.sendall(HELLO)
    assert read_exactly(phone, len(HELLO)) == HELLO
    return time.monotonic() - begun


def test_four_hundred_half_handshakes_hold_up_nobody(serve: Serve, authority: Authority) -> None:
    served = serve(dataclasses.replace(PATIENT, per_source=0))
    with ExitStack() as halves:
        for at in range(400):
            half = halves.enter_context(plain(served))
            half.sendall(CLIENT_HELLO[: 1 + at % len(CLIENT_HELLO)])
        until(lambda: served.counter("tcp_connections") == 400, "all connections")
        begun = time.monotonic()
        with secure(served, authority) as phone, served.udp() as other:
            exchange(phone)
            other.send(b"and by UDP")
            assert other.recv(100) == b"and by UDP"
        assert time.monotonic() - begun < 2.0
    until(lambda: served.counter("tcp_connections") == 0, "all places to be free")
    assert served.defects == []


def test_half_handshakes_of_one_address_take_only_its_own_share(
    serve: Serve, authority: Authority
) -> None:
    served = serve(dataclasses.replace(PATIENT, per_source=20, connect_s=1.0))
    with ExitStack() as halves:
        for _ in range(20):
            halves.enter_context(plain(served)).sendall(CLIENT_HELLO)
        with plain(served) as beyond:
            assert is_closed(beyond)
        with secure(served, authority, ELSEWHERE) as phone:
            exchange(phone)
            until(lambda: served.notes == ["handshake too slow"] * 20, "the end of patience")
            exchange(phone)
        with secure(served, authority) as again:  # their places are free
            exchange(again)
    assert served.counter("tcp_refused_source_limit") == 1
    assert served.counter("tcp_timed_out") == 20


def test_a_handshake_that_drips_gets_no_more_time(serve: Serve) -> None:
    served = serve(dataclasses.replace(PATIENT, connect_s=0.4))
    with plain(served) as dripping:
        begun = time.monotonic()
        dripping.settimeout(0.02)
        closed = False
        for byte in CLIENT_HELLO:  # at most 2 s: never a whole record
            try:
                dripping.sendall(bytes([byte]))
                closed = dripping.recv(1) == b""
            except TimeoutError:
                pass
            except ConnectionError:
                closed = True
            if closed or time.monotonic() - begun > DEADLINE:
                break
        assert closed
        assert served.notes == ["handshake too slow"]


def test_who_is_silent_after_his_handshake_is_closed(serve: Serve, authority: Authority) -> None:
    served = serve(dataclasses.replace(PATIENT, first_message_s=0.3))
    with secure(served, authority, ELSEWHERE) as phone:
        exchange(phone)
        with secure(served, authority) as silent:
            assert is_closed(silent)
        exchange(phone)
    assert served.notes == ["too slow"]


def test_a_message_that_drips_in_records_of_one_byte_gets_no_more_time(
    serve: Serve, authority: Authority
) -> None:
    served = serve(dataclasses.replace(PATIENT, rest_of_message_s=0.4))
    with secure(served, authority) as loris:
        exchange(loris)
        loris.settimeout(0.02)
        end = time.monotonic() + DEADLINE
        closed = False
        while not closed and time.monotonic() < end:
            try:
                loris.sendall(b"O")
                closed = loris.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True
        assert closed
        assert served.notes == ["too slow"]


def test_one_that_never_reads_is_closed_beyond_the_bound_and_others_go_on(
    serve: Serve, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "UNSENT_PEER", 200_000)
    served = serve(PATIENT)
    large = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000
    with secure(served, authority) as deaf, secure(served, authority) as phone:
        exchange(deaf)
        flow = served.core.received[0][1]

        def send_one() -> None:
            served.core.out.append((flow, large))
            served.endpoint.drain(time.monotonic())

        slowest = 0.0
        for _ in range(400):  # far more than the kernel's buffers on both sides
            served.call(send_one)
            slowest = max(slowest, exchange(phone))
            assert served.counter("tcp_unsent_bytes") <= 200_000
            if not flow.open:
                break
        assert not flow.open
        assert slowest < 1.0
        until(lambda: served.core.failed == [flow], "the core to hear of it")
        assert served.counter("tcp_unsent_bytes") == 0
        assert served.notes == ["does not read"]
        exchange(phone)


def test_one_that_leaves_in_the_middle_of_its_handshake_leaves_nothing(
    serve: Serve, authority: Authority
) -> None:
    served = serve(PATIENT)
    for end in (1, 5, 11, 60, len(CLIENT_HELLO)):
        with plain(served) as half:
            half.sendall(CLIENT_HELLO[:end])
    until(lambda: served.counter("tcp_accepted") == 5, "all to be seen")
    until(lambda: served.counter("tcp_connections") == 0, "all places to be free")
    with secure(served, authority) as phone:
        exchange(phone)
    assert served.defects == []
