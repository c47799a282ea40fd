"""SIP over UDP (RFC 3261 §18): one non-blocking socket, drained a bounded batch a wake-up."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import islice
from time import monotonic
from typing import Final
from weakref import WeakValueDictionary

from sipengine.net.flows import Address, NetFlow, Receiver
from sipengine.net.queue_age import age_of_latest
from sipengine.net.read_buffer import BUFFER, RECEIVED
from sipengine.net.stun import StunServer
from sipengine.services.overload import OVERFLOWING, begins_anew

BATCH: Final = 32
"""Datagrams a wake-up: at 50 µs each, connections and timers wait 1.6 ms at most."""

AWAKE_S: Final = 0.00003
"""Called again so soon, the loop did not sleep: it found the next datagram there already."""

STREAK: Final = 2
"""So often in a row makes a batch worth trying. At other times one datagram is read a wake-up: to
find out that there is no second costs 5 to 10 µs, a third of all that an answer costs."""

RECEIVE_BUFFER: Final = 4 * 1024 * 1024
"""The kernel accounts some 2.3 kB for a datagram of 1 kB: this (doubled by the kernel) holds 3,500
of them, 170 ms of 20,000 a second, which is longer than any pause of ours that was ever seen."""

SEND_BUFFER: Final = 1024 * 1024
"""Answers to a whole batch and more; beyond it the network is slower than we are, and we queue."""

QUEUE: Final = 1024
"""Datagrams kept while the kernel takes no more. SIP repeats what is lost, so old ones may go."""

INTERNED: Final = 16_384
"""Remote addresses that are found by one look-up; see `_forget_older_half`."""

_KEEP_ALIVE: Final = b"\r\n\t \0"
_IP_RECVERR: Final = 11  # these are in linux/in.h and linux/in6.h; the socket module lacks them
_IPV6_RECVERR: Final = 25
_SO_MEMINFO: Final = 55
_MEMINFO_DROPS: Final = 8
# RFC 3261 §18.4: host, network, port or protocol unreachable are failures; others are ignored.
_UNREACHABLE: Final = frozenset(
    {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOPROTOOPT, errno.EPERM}
)
_FULL: Final = frozenset({errno.EAGAIN, errno.ENOBUFS})
_EXTENDED_ERROR: Final = struct.Struct("=IBBBxII")


SocketAddress = tuple[str, int] | tuple[str, int, int, int]
"""As the socket module writes addresses of IPv4 and IPv6."""


class UdpFlow(NetFlow):
    """A remote address at one of our sockets."""

    __slots__ = ("address", "socket")

    def __init__(self, owner: UdpSocket, address: SocketAddress) -> None:
        super().__init__("UDP", owner.local, (address[0], address[1]))
        self.socket = owner
        self.address = address

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendto(data, self.address)
        except OSError as error:
            self.socket.send_failed(data, self, error)


class UdpSocket:
    """One bound socket. `open` binds it, `serve` begins to read.

    With a `descriptor` it is bound already, one of several that share the port (pbx.supervisor):
    who opened it keeps it open beyond this process.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, receiver: Receiver, host: str, descriptor: int = -1
    ) -> None:
        self._loop = loop
        self.receiver = receiver
        self.local: Address = (host, 0)
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._shared = descriptor >= 0
        self._socket = (
            socket.socket(fileno=descriptor)
            if self._shared
            else socket.socket(self.family, socket.SOCK_DGRAM)
        )
        self.sendto: Callable[[bytes, SocketAddress], int] = self._socket.sendto
        self._recent: dict[SocketAddress, UdpFlow] = {}
        self._alive: WeakValueDictionary[SocketAddress, UdpFlow] = WeakValueDictionary()
        self._queue: deque[tuple[bytes, SocketAddress]] = deque()
        self._fd = self._socket.fileno()
        self._streak = 0  # calls in a row without sleep between them
        self._left = 0.0  # when the latest ended
        self._behind = False  # a batch was full, and no later one was not
        self.shed = self.received = self.keep_alives = self.queue_drops = self.send_errors = (
            self.bounced
        ) = 0
        self.stun = StunServer()

    def open(self, port: int) -> None:
        """Bind to `port` what is not bound. Raises OSError (port taken, no such address)."""
        sock = self._socket
        sock.setblocking(False)
        if self.family == socket.AF_INET6:
            if not self._shared:
                # IPv4 has a socket of its own: no address is ever written ::ffff:192.0.2.1.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        _enlarge(sock, socket.SO_RCVBUF, 33, RECEIVE_BUFFER)  # 33: SO_RCVBUFFORCE
        _enlarge(sock, socket.SO_SNDBUF, 32, SEND_BUFFER)  # 32: SO_SNDBUFFORCE
        if not self._shared:
            # No SO_REUSEADDR: on a UDP socket it lets another process take our datagrams.
            sock.bind((self.local[0], port))
        self.local = sock.getsockname()[:2]

    def serve(self, before: Callable[[], None] | None = None) -> None:
        """Read from now on, each time after a call of `before`."""
        read = self._readable if before is None else partial(self._readable_after, before)
        self._loop.add_reader(self._socket.fileno(), read)

    def pause(self) -> None:
        """Read no more; sending goes on."""
        self._loop.remove_reader(self._socket.fileno())

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()

    # ------------------------------------------------------------------ flows

    def flow(self, host: str, port: int) -> UdpFlow:
        """The flow to a numeric address of this socket's family."""
        key = (host, port) if self.family == socket.AF_INET else (host, port, 0, 0)
        return self._recent.get(key) or self._intern(key)

    def _intern(self, address: SocketAddress) -> UdpFlow:
        flow = self._alive.get(address)
        if flow is None:
            flow = self._alive[address] = UdpFlow(self, address)
        if len(self._recent) >= INTERNED:
            self._forget_older_half()
        self._recent[address] = flow
        return flow

    def _forget_older_half(self) -> None:
        """Make room: a flood of forged addresses must not fill the memory.

        Nothing breaks: who holds a flow (a binding, a transaction) goes on sending by it, and
        `_alive` finds that same object again when its address is heard of next. Only flows that
        nobody holds are gone, and those carry nothing but their address.
        """
        for address in list(islice(self._recent, INTERNED // 2)):
            del self._recent[address]

    # ------------------------------------------------------------------ receiving

    def _readable(self) -> None:
        receiver = self.receiver
        receive = receiver.receive
        recvfrom_into = self._socket.recvfrom_into
        known = self._recent.get
        gate = receiver.gate
        shut = gate.shut
        now = monotonic()
        self._streak = self._streak + 1 if now - self._left < AWAKE_S else 0
        most = 1 if self._streak < STREAK else BATCH
        load = receiver.load
        overflowing = load.level >= OVERFLOWING
        count = 0
        try:
            while count < most:
                size, address = recvfrom_into(BUFFER)
                count += 1
                if shut and gate.blocks(address[0], now):
                    continue
                data = bytes(RECEIVED[:size])
                if overflowing and begins_anew(data):
                    self.shed += 1
                    continue
                if data[:1] <= b" ":
                    if not data.strip(_KEEP_ALIVE):
                        # RFC 5626 §3.5.1: empty lines hold a NAT's mapping open and want no answer
                        # over UDP; some phones send four zero bytes instead.
                        self.keep_alives += 1
                        continue
                    if data[0] < 2:
                        self._answer_stun(data, address, now)
                        continue
                receive(data, known(address) or self._intern(address), now)
        except BlockingIOError:
            if not count:
                self._read_errors()
        except OSError:
            self._read_errors()  # an earlier datagram of ours bounced; reading goes on next time
        finally:  # a defect of ours in one message must not hold up what the others caused
            self.received += count
            if count == BATCH:
                self._behind = True
                load.queued(self._fd, _fill(self._socket), age_of_latest(self._socket))
            elif self._behind and (count < most or not self._streak):
                self._behind = False
                load.emptied(self._fd)
            receiver.drain(now)
            self._left = monotonic()

    def _readable_after(self, before: Callable[[], None]) -> None:
        before()
        self._readable()

    def _answer_stun(self, data: bytes, address: SocketAddress, now: float) -> None:
        """RFC 5626 §8: STUN shares the port; the first byte of its requests is 0 or 1."""
        answer = self.stun.answer(data, (address[0], address[1]), now)
        if answer:
            (self._recent.get(address) or self._intern(address)).send(answer)

    def _read_errors(self) -> None:
        """Empty the socket's error queue (ip(7), IP_RECVERR): which datagrams bounced, and why."""
        for _ in range(BATCH):
            try:
                _, notes, _, address = self._socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return
            for _level, _kind, note in notes:
                if len(note) < _EXTENDED_ERROR.size:
                    continue
                number, origin, *_ = _EXTENDED_ERROR.unpack_from(note)
                if origin and number in _UNREACHABLE and address:
                    self.bounced += 1
                    flow = self._recent.get(address) or self._alive.get(address)
                    if flow is not None:
                        self.receiver.failed.append(flow)
                    if self._shared and self.receiver.bounced is not None:
                        self.receiver.bounced(self.local, (address[0], address[1]))

    # ------------------------------------------------------------------ sending

    def send_failed(self, data: bytes, flow: UdpFlow, error: OSError) -> None:
        """See to one datagram that the kernel did not take."""
        if error.errno in _FULL:
            self._queue.append((data, flow.address))
            self.sendto = self._enqueue
            self._loop.add_writer(self._socket.fileno(), self._writable)
            return
        # With IP_RECVERR a send reports what became of an earlier datagram: look, and try again.
        self._read_errors()
        try:
            self._socket.sendto(data, flow.address)
        except OSError as again:
            self.send_errors += 1
            if again.errno in _UNREACHABLE:
                self.receiver.failed.append(flow)

    def _enqueue(self, data: bytes, address: SocketAddress) -> int:
        """Stands in for the socket's `sendto` while the kernel takes no more."""
        if len(self._queue) >= QUEUE:
            self._queue.popleft()
            self.queue_drops += 1
        self._queue.append((data, address))
        return len(data)

    def _writable(self) -> None:
        while self._queue:
            data, address = self._queue.popleft()
            try:
                self._socket.sendto(data, address)
            except OSError as error:
                if error.errno in _FULL:
                    self._queue.appendleft((data, address))
                    return
                self.send_failed(data, self._intern(address), error)
        self._loop.remove_writer(self._socket.fileno())
        self.sendto = self._socket.sendto

    def counters(self) -> dict[str, int]:
        return {
            "udp_datagrams_received": self.received,
            "udp_keep_alives": self.keep_alives,
            "udp_shed_unread": self.shed,
            "udp_stun_answered": self.stun.answered,
            "udp_stun_ignored": self.stun.ignored,
            "udp_stun_limited": self.stun.limited,
            "udp_bounced": self.bounced,
            "udp_send_errors": self.send_errors,
            "udp_send_queue": len(self._queue),
            "udp_send_queue_drops": self.queue_drops,
            "udp_kernel_drops": _kernel_drops(self._socket),
            "udp_flows": len(self._alive),
        }


def _enlarge(sock: socket.socket, option: int, forced: int, size: int) -> None:
    """Ask for a buffer beyond the system's limit (net.core.rmem_max), else for as much as it gives."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, forced, size)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, option, size)


def _fill(sock: socket.socket) -> float:
    """How full the receive buffer is, from 0 to 1 (SO_MEMINFO), 0 where the kernel does not tell."""
    try:
        words = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
    except OSError:
        return 0.0
    held, size = struct.unpack_from("=2I", words) if len(words) == 36 else (0, 0)
    return held / size if size else 0.0


def _kernel_drops(sock: socket.socket) -> int:
    """Datagrams that found the receive buffer full (SO_MEMINFO), 0 where the kernel does not tell."""
    try:
        words = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
    except OSError:
        return 0
    return int(struct.unpack("=9I", words)[_MEMINFO_DROPS]) if len(words) == 36 else 0
