"""Whom the guard shut out is not even read, over UDP and TCP, over real loopback sockets."""

from __future__ import annotations

from sipengine.net.limits import Limits
from tests.net.served import Served, is_closed
from tests.support.wait import until


class ClosedGate:
    """Shuts 127.0.0.1 out while `shut` has it in it."""

    def __init__(self) -> None:
        self.shut: dict[str, None] = {}
        self.asked = 0
        self.swept = 0
        self.bad: list[str] = []

    def blocks(self, host: str, now: float) -> bool:
        self.asked += 1
        return host in self.shut

    def bad_stream(self, host: str, now: float) -> None:
        self.bad.append(host)

    def sweep(self, now: float) -> None:
        self.swept += 1


def gated(served: Served) -> ClosedGate:
    gate = ClosedGate()
    served.call(lambda: setattr(served.endpoint, "gate", gate))
    return gate


def test_datagrams_of_a_shut_out_address_are_dropped_and_nobody_else_pays() -> None:
    with Served() as served, served.udp() as phone:
        gate = gated(served)
        phone.send(b"one")
        assert phone.recv(100) == b"one"
        assert gate.asked == 0, "nothing is asked while nobody is shut out"
        gate.shut["127.0.0.1"] = None
        phone.send(b"two")
        until(lambda: gate.asked == 1, "the datagram to be read")
        gate.shut.clear()
        phone.send(b"three")
        assert phone.recv(100) == b"three"
        assert [data for data, _ in served.core.received] == [b"one", b"three"]


def test_a_connection_of_a_shut_out_address_is_closed_when_it_speaks() -> None:
    with Served() as served, served.tcp() as phone:
        gate = gated(served)
        message = b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n"
        phone.send(message)
        assert phone.recv(100) == message
        gate.shut["127.0.0.1"] = None
        phone.send(message)
        assert is_closed(phone)
        assert len(served.core.received) == 1


def test_a_new_connection_of_a_shut_out_address_is_closed_at_once() -> None:
    with Served() as served:
        gated(served).shut["127.0.0.1"] = None
        with served.tcp() as phone:
            assert is_closed(phone)
        assert served.counter("tcp_refused_banned") == 1
        assert served.counter("tcp_accepted") == 0


def test_the_guard_hears_of_streams_that_are_no_sip_and_of_each_second() -> None:
    with Served() as served, served.tcp() as phone:
        gate = gated(served)
        phone.send(b"GET / HTTP/1.1\r\n\r\n")
        assert is_closed(phone)
        assert gate.bad == ["127.0.0.1"]
        until(lambda: gate.swept, "the sweep of each second")


def test_the_guard_hears_of_connections_that_never_say_anything_whole() -> None:
    limits = Limits(first_message_s=0.2, rest_of_message_s=0.2)
    with Served(limits=limits) as served, served.tcp() as idle, served.tcp() as half:
        gate = gated(served)
        half.send(b"INVITE sip:x SIP/2.0\r\n")
        assert is_closed(idle)
        assert is_closed(half)
        assert gate.bad == ["127.0.0.1", "127.0.0.1"]
