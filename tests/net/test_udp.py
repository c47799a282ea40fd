"""UDP over real loopback sockets (RFC 3261 §18, RFC 5626 §3.5.1)."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from functools import partial

import pytest

from sipengine.net import udp
from sipengine.sip.flow import Flow
from tests.net.served import DEADLINE, Served
from tests.support.wait import until


def test_a_datagram_reaches_the_core_and_its_answer_comes_back() -> None:
    with Served() as served, served.udp() as phone:
        phone.send(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
        assert phone.recv(4000) == b"OPTIONS sip:x SIP/2.0\r\n\r\n"
        ((_, flow),) = served.core.received
        assert flow.transport == "UDP"
        assert flow.remote == phone.getsockname()
        assert flow.local == ("127.0.0.1", served.port)
        assert not flow.reliable


def test_a_burst_beyond_one_wake_up_is_answered_whole_and_in_order() -> None:
    with Served() as served, served.udp() as phone:
        sent = [b"N %d" % n for n in range(5 * udp.BATCH)]
        for datagram in sent:
            phone.send(datagram)
        assert [phone.recv(100) for _ in sent] == sent


@pytest.mark.parametrize(
    "keep_alive", [b"\r\n\r\n", b"\r\n", b"", b"\0\0\0\0", b" ", b"\r\n" * 100]
)
def test_rfc5626_3_5_1_a_keep_alive_is_counted_and_not_answered(keep_alive: bytes) -> None:
    with Served() as served, served.udp() as phone:
        phone.send(keep_alive)
        phone.send(b"after")
        assert phone.recv(100) == b"after"
        assert [data for data, _ in served.core.received] == [b"after"]
        assert served.counter("udp_keep_alives") == 1


def test_rfc3261_7_5_empty_lines_before_a_message_are_the_cores_business() -> None:
    with Served() as served, served.udp() as phone:
        phone.send(b"\r\n\r\nOPTIONS")
        assert phone.recv(100) == b"\r\n\r\nOPTIONS"


def test_the_same_address_is_the_same_flow_and_flow_to_finds_it() -> None:
    with Served() as served, served.udp() as phone:
        phone.send(b"one")
        phone.recv(100)
        phone.send(b"two")
        phone.recv(100)
        (_, first), (_, second) = served.core.received
        host, port = phone.getsockname()
        assert first is second
        assert served.call(lambda: served.endpoint.flow_to("UDP", host, port)) is first


def test_a_flow_somebody_holds_stays_the_same_object_when_the_table_overflows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(udp, "INTERNED", 4)
    with Served() as served, served.udp() as phone:
        phone.send(b"one")
        phone.recv(100)
        held: Flow = served.core.received[0][1]
        for port in range(1000, 1020):  # strangers, whom nobody holds
            served.call(partial(served.endpoint.flow_to, "UDP", "127.0.0.1", port))
        phone.send(b"two")
        phone.recv(100)
        assert served.core.received[1][1] is held
        assert served.counter("udp_flows") <= 5


def test_rfc3261_18_4_a_refused_datagram_fails_its_flow() -> None:
    with Served() as served:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            address = gone.getsockname()
        flow = served.call(lambda: served.endpoint.flow_to("UDP", *address))

        def send() -> None:
            served.core.out.append((flow, b"INVITE"))
            served.endpoint.drain(time.monotonic())

        served.call(send)
        until(lambda: flow in served.core.failed, "the bounced flow")
        assert served.counter("udp_bounced") == 1
        with served.udp() as phone:  # the socket works on
            phone.send(b"still here")
            assert phone.recv(100) == b"still here"


def test_sending_to_a_dead_port_does_not_take_a_datagram_of_a_live_one() -> None:
    with Served() as served, served.udp() as phone:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            dead_address = gone.getsockname()
        phone.send(b"hello")
        phone.recv(100)
        live = served.core.received[0][1]
        dead = served.call(lambda: served.endpoint.flow_to("UDP", *dead_address))

        def send() -> None:
            for n in range(20):
                served.core.out += [(dead, b"x"), (live, b"%d" % n)]
            served.endpoint.drain(time.monotonic())

        served.call(send)
        assert [phone.recv(100) for _ in range(20)] == [b"%d" % n for n in range(20)]


def test_a_message_too_large_for_a_datagram_is_counted_and_harms_nobody() -> None:
    with Served() as served, served.udp() as phone:
        phone.send(b"hello")
        phone.recv(100)
        flow = served.core.received[0][1]

        def send() -> None:
            served.core.out += [(flow, b"x" * 65_508), (flow, b"small")]
            served.endpoint.drain(time.monotonic())

        served.call(send)
        assert phone.recv(100) == b"small"
        assert served.counter("udp_send_errors") == 1
        assert served.core.failed == []


def test_the_largest_datagram_passes_both_ways() -> None:
    with Served() as served, served.udp() as phone:
        phone.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        largest = b"L" * 65_507
        phone.send(largest)
        assert phone.recv(65_535) == largest


def test_what_the_kernel_does_not_take_waits_and_the_oldest_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(udp, "QUEUE", 3)
    with Served() as served, served.udp() as phone:
        phone.send(b"hello")
        phone.recv(100)
        flow = served.core.received[0][1]
        sock = served.endpoint._udp_sockets[0]

        def full(_data: bytes, _address: object) -> int:
            raise BlockingIOError(11, "the kernel's buffer is full")

        def send() -> None:
            sock.sendto = full
            served.core.out += [(flow, b"%d" % n) for n in range(5)]
            served.endpoint.drain(time.monotonic())

        served.call(send)
        assert [phone.recv(100) for _ in range(3)] == [b"2", b"3", b"4"]
        assert served.counter("udp_send_queue_drops") == 2
        phone.send(b"on it goes")
        assert phone.recv(100) == b"on it goes"


def test_a_defect_in_one_message_does_not_hold_up_the_others() -> None:
    with Served() as served, served.udp() as phone:
        for datagram in (b"one", b"BUG", b"two"):
            phone.send(datagram)
        assert [phone.recv(100), phone.recv(100)] == [b"one", b"two"]
        assert len(served.defects) == 1


def test_both_address_families_are_served_on_the_ipv6_wildcard() -> None:
    with Served("::") as served:
        for host in ("127.0.0.1", "::1"):
            with served.udp(host) as phone:
                phone.send(b"hello")
                assert phone.recv(100) == b"hello"
                assert served.core.received[-1][1].remote == phone.getsockname()[:2]


def test_a_host_name_is_looked_up_before_the_first_datagram() -> None:
    with Served() as served, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(DEADLINE)
        flow = served.call(
            lambda: served.endpoint.flow_to("UDP", "localhost", peer.getsockname()[1])
        )

        def send() -> None:
            served.core.out += [(flow, b"one"), (flow, b"two")]
            served.endpoint.drain(time.monotonic())

        served.call(send)
        assert [peer.recv(100), peer.recv(100)] == [b"one", b"two"]


def test_a_name_without_an_address_fails_its_flow() -> None:
    with Served() as served:
        flow = served.call(lambda: served.endpoint.flow_to("UDP", "nowhere.invalid", 5060))

        def send() -> None:
            served.core.out.append((flow, b"one"))
            served.endpoint.drain(time.monotonic())

        served.call(send)
        until(lambda: flow in served.core.failed, "the flow without an address", deadline=10)


def test_timers_fire_at_their_time_and_not_before() -> None:
    with Served() as served:
        begun = time.monotonic()

        def arm() -> None:
            served.core.timers = [begun + 0.05, begun + 0.051, begun + 0.15]
            served.endpoint.drain(time.monotonic())

        served.call(arm)
        until(lambda: len(served.core.fired) == 3, "three timers")
        assert time.monotonic() >= begun + 0.15


def test_messages_that_are_kept_take_the_memory_of_their_bytes() -> None:
    """Blocks cut down from what a largest datagram takes left gaps, as large again as themselves and more."""
    script = [sys.executable, "-m", "tests.net.kept_messages"]
    run = subprocess.run(script, capture_output=True, text=True, timeout=120, check=True)
    assert float(run.stdout) < 1.4
