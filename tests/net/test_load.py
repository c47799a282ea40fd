"""How busy the process is, by the queue in the kernel and by late timers."""

from __future__ import annotations

import socket

from sipengine.net.load import Load
from tests.net.served import Served
from tests.support.wait import until


def levels(load: Load, fills: list[float]) -> list[int]:
    out = []
    for fill in fills:
        load.queued(3, fill)
        out.append(load.level)
    return out


def test_a_level_is_left_only_well_below_where_it_began() -> None:
    load = Load()
    assert levels(load, [0.19, 0.21, 0.18, 0.16, 0.14]) == [0, 1, 1, 1, 0]
    assert levels(load, [0.55, 0.45, 0.39, 0.2, 0.0]) == [2, 2, 1, 1, 0]
    assert levels(load, [0.9, 0.7, 0.5, 0.0]) == [3, 3, 2, 0]
    assert load.rises == 3


def test_the_fullest_of_several_sockets_counts() -> None:
    load = Load()
    load.queued(3, 0.6)
    load.queued(4, 0.3)
    assert load.level == 2
    load.queued(3, 0.0)
    assert load.level == 1
    assert (load.waiting(3), load.waiting(4)) == (False, True)


def test_one_late_beat_is_a_garbage_collection_two_are_load() -> None:
    load = Load()
    seen = []
    for late in [0.0, 0.3, 0.0, 0.15, 0.15, 0.3, 0.3, 0.05, 0.02, 0.0]:
        load.late(late)
        seen.append(load.level)
    assert seen == [0, 0, 0, 0, 1, 1, 2, 1, 0, 0]


def test_a_queue_in_the_kernel_raises_the_level_and_new_requests_are_dropped_unread() -> None:
    invite = b"INVITE sip:x SIP/2.0\r\nTo: <sip:x>\r\n\r\n" + b"x" * 900
    bye = b"BYE sip:x SIP/2.0\r\nTo: <sip:x>;tag=1\r\n\r\n"
    with Served() as served, served.udp() as phone:
        served.core.silent = True
        phone.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        served.call(
            lambda: flood(phone, [invite] * 3600 + [bye])
        )  # the loop stands still meanwhile
        until(lambda: served.counter("udp_shed_unread") > 0, "new requests to be dropped")
        until(lambda: served.call(lambda: served.endpoint.load.level) == 0, "calm again")
        received = [data for data, _ in served.core.received]
        assert 0 < len([data for data in received if data == invite]) < 3600
        assert served.core.pressures[-1] == 0
        assert max(served.core.pressures) == 3
        assert served.counter("load_rises") >= 1
        before = len(received)
        phone.send(invite)
        until(lambda: len(served.core.received) > before, "business as usual")


def flood(phone: socket.socket, datagrams: list[bytes]) -> None:
    for datagram in datagrams:
        phone.send(datagram)
