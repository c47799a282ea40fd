"""How busy the process is, by the queue in the kernel and by late timers."""

from __future__ import annotations

import socket
from collections import deque

import pytest

from sipengine.net.load import BEAT_S, Load
from sipengine.services.overload import Admission
from tests.net.served import Served
from tests.support.wait import until


def beats(load: Load, delays: list[float]) -> list[int]:
    """The level after each of these beats, in which the oldest datagram had waited so long."""
    out = []
    for delay in delays:
        load.queued(3, 0.0, delay)
        load.beat(0.0)
        out.append(load.level)
    return out


def test_a_queue_that_empties_within_a_fifth_of_a_second_is_a_burst_one_that_stands_is_load() -> (
    None
):
    load = Load()
    assert beats(load, [0.0, 0.1, 0.2, 0.1, 0.0, 0.1, 0.2, 0.1, 0.0]) == [0] * 9
    assert beats(load, [0.1, 0.1, 0.1, 0.1]) == [0, 0, 0, 1]
    load = Load()
    for late in (0.1, 0.1, 0.1, 0.1):  # of the timers: connections have no common queue
        load.beat(late)
    assert load.level == 1


def test_one_long_delay_is_a_garbage_collection_two_are_load() -> None:
    load = Load()
    assert beats(load, [0.0, 0.4, 0.0, 0.4, 0.0]) == [0, 0, 0, 0, 0]
    assert beats(load, [0.4, 0.4]) == [0, 2]


def test_everything_new_is_refused_until_the_delay_is_well_below_where_that_began() -> None:
    load = Load()
    assert beats(load, [0.4, 0.4, 0.2, 0.15, 0.09]) == [0, 2, 2, 2, 1]
    assert load.rises == 1


def test_a_full_buffer_counts_at_once_and_the_fullest_of_several() -> None:
    load = Load()
    load.queued(3, 0.55)
    load.queued(4, 0.9)
    assert load.level == 3
    load.queued(4, 0.5)
    assert load.level == 2
    load.emptied(3)
    load.queued(4, 0.39)
    assert load.level == 0


def test_a_socket_that_was_read_empty_has_no_queue_however_long_it_was_before() -> None:
    load = Load()
    for _ in range(10):
        load.queued(3, 0.0, 0.2)
        load.emptied(3)
        load.beat(0.0)
    assert (load.level, load.share) == (0, 0.0)
    for _ in range(4):
        load.emptied(3)
        load.queued(3, 0.0, 0.2)
        load.beat(0.0)
    assert load.level == 1


def test_a_share_is_refused_no_longer_when_the_load_has_gone() -> None:
    load = Load()
    told: list[tuple[int, float]] = []
    load = Load(lambda level, share: told.append((level, share)))
    beats(load, [0.05, 0.1, 0.15, 0.15, 0.15, 0.15, 0.15])
    assert load.level == 1
    assert 0.1 < load.share < 1.0
    beats(load, [0.0] * 20)
    assert (load.level, load.share) == (0, 0.0)
    assert told[-1] == (0, 0.0)


class Crowd:
    """A server of a millisecond a message, callers who offer more, and a clock.

    A call is a request that is challenged, and then work that follows; a refusal costs a tenth. What
    waits is done in the order it came. Phones repeat what was not answered for half a second.
    """

    CALL = 0.004
    REFUSAL = 0.0004

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.admission = Admission()
        self.load = Load(self.told)
        self.now = 0.0
        self.queue: deque[tuple[float, str]] = deque()
        self.goodput: list[float] = []
        self.worst = 0.0

    def told(self, level: int, share: float) -> None:
        self.admission.level, self.admission.share = level, share

    def run(self, seconds: float) -> None:
        arrival = beat = free = 0.0
        while self.now < seconds:
            self.now += 0.001
            while arrival < self.now:
                self.queue.append((arrival, "new"))
                arrival += 1 / self.rate
            while free < self.now and self.queue:
                came, what = self.queue.popleft()
                free = max(free, came) + self.serve(what, max(free, came))
                self.load.queued(3, 0.0, max(0.0, free - came))
                self.worst = max(self.worst, free - came)
            if self.now >= beat:
                beat += BEAT_S
                self.load.beat(0.0)

    def serve(self, what: str, now: float) -> float:
        if what == "new":
            if self.admission.level and not self.admission.takes_next(has_credentials=False):
                return self.REFUSAL
            self.queue.append((now, "authorised"))
            return self.CALL / 4
        if what == "authorised":
            if self.admission.level and not self.admission.takes_next(has_credentials=True):
                return self.REFUSAL
            self.queue.append((now, "rest"))
            return self.CALL / 4
        self.goodput.append(now)
        return self.CALL / 2


@pytest.mark.parametrize("times", [1.0, 1.5, 2.0, 3.0])
def test_rfc7339_goodput_stays_level_while_the_load_goes_on_rising(times: float) -> None:
    """What refusing costs is all that is lost, and nobody waits until he would repeat himself."""
    crowd = Crowd(times / Crowd.CALL)
    crowd.run(20.0)
    done = len([at for at in crowd.goodput if at > 5.0]) / 15.0 * Crowd.CALL
    possible = 1.0 - (times - 1.0) * Crowd.REFUSAL / (Crowd.CALL - Crowd.REFUSAL)
    assert done > 0.97 * possible
    assert crowd.worst < 0.5


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
        assert served.counter("load_rises") >= 1
        before = len(received)
        phone.send(invite)
        until(lambda: len(served.core.received) > before, "business as usual")
        # The beat after may still tell of how late everything was: that ends by itself.
        until(lambda: served.call(lambda: served.endpoint.load.share) == 0.0, "nothing refused")
        until(lambda: served.core.admission.level == 0, "the core to know")


def flood(phone: socket.socket, datagrams: list[bytes]) -> None:
    for datagram in datagrams:
        phone.send(datagram)
