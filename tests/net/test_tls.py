"""TLS: real handshakes on the loopback, honest and hostile peers (RFC 3261 §26.2.1, RFC 5922, RFC 5923)."""

from __future__ import annotations

import dataclasses
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sipengine.net.certificates import Certificates
from sipengine.net.limits import Limits
from sipengine.sip.next_hop import Server
from tests.net.certificate_files import Authority
from tests.net.served import DEADLINE, Served, is_closed, read_exactly
from tests.support.wait import until

HELLO = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def certificates(authority: Authority) -> Certificates:
    return Certificates(authority.files("pbx.test", "127.0.0.1"))


@pytest.fixture
def served(certificates: Certificates) -> Iterator[Served]:
    with Served(certificates=certificates) as running:
        yield running


def connect(served: Served, authority: Authority) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", served.tls_port), timeout=DEADLINE)
    return authority.client().wrap_socket(plain)


def exchange(phone: socket.socket) -> None:
    phone.sendall(HELLO)
    assert read_exactly(phone, len(HELLO)) == HELLO


def test_a_phone_talks_over_tls(served: Served, authority: Authority) -> None:
    with connect(served, authority) as phone:
        exchange(phone)
        assert phone.version() in ("TLSv1.2", "TLSv1.3")
        flow = served.core.received[0][1]
        assert (flow.transport, flow.remote) == ("TLS", phone.getsockname())
        assert (flow.reliable, flow.stream) == (True, True)
        assert flow.local == ("127.0.0.1", served.tls_port)


def test_messages_in_pieces_and_many_at_once(served: Served, authority: Authority) -> None:
    with connect(served, authority) as phone:
        for byte in HELLO:
            phone.sendall(bytes([byte]))
        assert read_exactly(phone, len(HELLO)) == HELLO
        phone.sendall(HELLO * 2000)
        assert read_exactly(phone, len(HELLO) * 2000) == HELLO * 2000


def test_large_answers_go_through_though_the_reader_is_slow(
    served: Served, authority: Authority
) -> None:
    large = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000
    with connect(served, authority) as phone:
        exchange(phone)
        flow = served.core.received[0][1]

        def send_much() -> None:
            served.core.out += [(flow, large)] * 4
            served.endpoint.drain(time.monotonic())

        served.call(send_much)
        assert read_exactly(phone, len(large) * 4) == large * 4


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_nothing_older_than_1_2(
    served: Served, authority: Authority, version: ssl.TLSVersion
) -> None:
    context = authority.client()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", served.tls_port), timeout=DEADLINE) as plain,
        pytest.raises(OSError, match=r"alert|EOF|reset|(?i:version)"),
    ):
        context.wrap_socket(plain)
    until(lambda: served.counter("tcp_handshake_failures") == 1, "the refusal")


@pytest.mark.parametrize(
    "garbage",
    [b"REGISTER sip:a SIP/2.0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", bytes(300), os.urandom(300),
     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 600, b"\x16\x03\x01\xff\xff" + b"a" * 70_000],
)  # fmt: skip
def test_garbage_is_closed_and_others_go_on(
    served: Served, authority: Authority, garbage: bytes
) -> None:
    with connect(served, authority) as phone:
        with socket.create_connection(("127.0.0.1", served.tls_port), timeout=DEADLINE) as hostile:
            try:
                hostile.sendall(garbage)
                hostile.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it was closed in the middle of that
            assert is_closed(hostile)
        exchange(phone)
    assert served.defects == []


def test_garbage_after_the_handshake_ends_that_connection(
    served: Served, authority: Authority
) -> None:
    with connect(served, authority) as phone:
        exchange(phone)
        fd = os.dup(phone.fileno())
        os.write(fd, b"\x17\x03\x03\x00\x20" + b"\x00" * 32)
        os.close(fd)
        with suppress(ssl.SSLError):  # the alert that says so
            assert is_closed(phone)
    until(lambda: len(served.core.failed) == 1, "the end of the connection")


def test_half_a_handshake_is_closed_in_time(
    certificates: Certificates, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sipengine.net.endpoint.TICK_S", 0.05)
    limits = dataclasses.replace(Limits(), connect_s=0.3)
    with Served(certificates=certificates, limits=limits) as served:
        silent = socket.create_connection(("127.0.0.1", served.tls_port), timeout=DEADLINE)
        half = socket.create_connection(("127.0.0.1", served.tls_port), timeout=DEADLINE)
        half.sendall(b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03")
        with silent, half, connect(served, authority) as phone:
            exchange(phone)
            assert is_closed(silent)
            assert is_closed(half)
            exchange(phone)
        assert served.notes == ["handshake too slow"] * 2
        assert served.counter("tcp_connect_failures") == 0


def test_a_new_certificate_is_taken_up_and_no_connection_drops(
    served: Served, authority: Authority, certificates: Certificates
) -> None:
    with connect(served, authority) as before:
        exchange(before)
        assert certificates.refresh() == ""
        authority.files("renewed.test")
        assert certificates.refresh() == "changed"
        assert certificates.refresh() == ""
        with connect(served, authority) as after:
            exchange(after)
            assert after.getpeercert()["subjectAltName"] == (("DNS", "renewed.test"),)  # type: ignore[index]
        exchange(before)
        assert before.getpeercert()["subjectAltName"][0] == ("DNS", "pbx.test")  # type: ignore[index]


def test_a_broken_new_certificate_changes_nothing_and_is_told_once(
    served: Served, authority: Authority, certificates: Certificates
) -> None:
    (authority.directory / "server.key").write_text("half a k")
    assert "the old one stays" in certificates.refresh()
    assert certificates.refresh() == ""
    (authority.directory / "server.key").unlink()
    assert certificates.refresh() == ""
    with connect(served, authority) as phone:
        exchange(phone)
    authority.files("pbx.test")
    assert certificates.refresh() == "changed"


# ---------------------------------------------------------------------- connections of ours


class Other:
    """Another domain's server: accepts one connection and does its handshake."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(DEADLINE)
        self.port: int = self.listener.getsockname()[1]

    def accept(self) -> ssl.SSLSocket:
        plain, _ = self.listener.accept()
        plain.settimeout(DEADLINE)
        return self.context.wrap_socket(plain, server_side=True)

    def __enter__(self) -> Other:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()


def send_to(served: Served, host: str, port: int, data: bytes) -> None:
    def send() -> None:
        served.core.out.append((served.endpoint.flow_to("TLS", host, port), data))
        served.endpoint.drain(time.monotonic())

    served.call(send)


def test_rfc5923_7_1_a_connection_of_ours_is_used_both_ways_and_again(
    served: Served, authority: Authority
) -> None:
    with Other(authority.server("127.0.0.1")) as other:
        send_to(served, "127.0.0.1", other.port, HELLO)
        with other.accept() as there:
            assert read_exactly(there, len(HELLO)) == HELLO
            presented = there.getpeercert()
            assert presented, "we show our certificate to who asks"
            there.sendall(HELLO)
            until(lambda: len(served.core.received) == 1, "the request in the other direction")
            send_to(served, "127.0.0.1", other.port, HELLO)
            assert read_exactly(there, 2 * len(HELLO)) == HELLO * 2
        assert served.counter("tcp_connects") == 1


@pytest.mark.parametrize(
    ("names", "asked", "welcome"),
    [(("127.0.0.1",), "127.0.0.1", True), (("192.0.2.1",), "127.0.0.1", False),
     (("localhost",), "localhost", True), (("sip:localhost",), "localhost", True),
     (("sip:other.test", "localhost"), "localhost", False), (("other.test",), "localhost", False)],
)  # fmt: skip
def test_rfc5922_7_3_the_other_domain_must_prove_its_name(
    served: Served, authority: Authority, names: tuple[str, ...], asked: str, welcome: bool
) -> None:
    with Other(authority.server(*names)) as other:
        send_to(served, asked, other.port, HELLO)
        with other.accept() as there:
            if welcome:
                assert read_exactly(there, len(HELLO)) == HELLO
            else:
                assert is_closed(there)
                until(lambda: len(served.core.failed) == 1, "the failure")
                assert served.notes == [f"its certificate is not for {asked}"]


def send_at(served: Served, place: Server, data: bytes) -> None:
    def send() -> None:
        served.core.out.append((served.endpoint.flow_at(place), data))
        served.endpoint.drain(time.monotonic())

    served.call(send)


def test_rfc5922_7_3_a_server_found_by_srv_must_prove_the_domain_that_was_called(
    served: Served, authority: Authority
) -> None:
    with Other(authority.server("other.test")) as other:
        place = Server("TLS", "127.0.0.1", other.port, "other.test")
        send_at(served, place, HELLO)
        with other.accept() as there:
            assert read_exactly(there, len(HELLO)) == HELLO
            send_at(served, place, HELLO)
            assert read_exactly(there, len(HELLO)) == HELLO
            assert served.counter("tcp_connects") == 1, "the same connection"
            send_at(served, Server("TLS", "127.0.0.1", other.port, "third.test"), HELLO)
            with other.accept() as again:
                assert is_closed(again)
            until(lambda: len(served.core.failed) == 1, "the failure")
        assert served.notes == ["its certificate is not for third.test"]
        until(lambda: served.counter("tcp_connections") == 0, "the end of both")
        send_at(served, place, HELLO)
        with other.accept() as new:
            assert read_exactly(new, len(HELLO)) == HELLO


def test_a_certificate_that_nobody_we_trust_has_signed_is_refused(
    served: Served, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    with Other(Authority(tmp_path / "elsewhere").server("127.0.0.1")) as other:
        send_to(served, "127.0.0.1", other.port, HELLO)
        with pytest.raises(OSError, match=r"alert|EOF|reset"):
            other.accept()
        until(lambda: len(served.core.failed) == 1, "the failure")
        assert served.counter("tcp_handshake_failures") == 1


def test_a_peer_that_never_answers_our_handshake_fails_in_time(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sipengine.net.endpoint.TICK_S", 0.05)
    limits = dataclasses.replace(Limits(), connect_s=0.3)
    with (
        Served(certificates=certificates, limits=limits) as served,
        socket.create_server(("127.0.0.1", 0)) as mute,
    ):
        send_to(served, "127.0.0.1", mute.getsockname()[1], HELLO)
        until(lambda: len(served.core.failed) == 1, "the end of patience")
        assert served.counter("tcp_connect_failures") == 1


def test_handshakes_take_turns(served: Served, authority: Authority) -> None:
    """A hundred phones connect at once while one talks over UDP, and nobody is lost."""
    context = authority.client()
    context.verify_mode = ssl.CERT_NONE
    plain = [
        socket.create_connection(("127.0.0.1", served.tls_port), timeout=DEADLINE)
        for _ in range(100)
    ]
    wrapped = []
    with served.udp() as other:
        for sock in plain:
            sock.settimeout(0)
            phone = context.wrap_socket(sock, do_handshake_on_connect=False)
            with suppress(ssl.SSLWantReadError):  # most often it has to wait for the server
                phone.do_handshake()
            wrapped.append(phone)
        other.send(b"between")
        assert other.recv(100) == b"between"
        for phone in wrapped:
            phone.settimeout(DEADLINE)
            phone.do_handshake()
            exchange(phone)
            phone.close()
