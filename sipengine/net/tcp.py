"""One SIP connection over TCP (RFC 3261 §18.1, §18.3; RFC 5626 §4.4.1 keep-alives).

A connection is its flow. It reads one bounded piece a wake-up, so that no peer starves another,
and writes what one drain of the core gave it in one piece.
"""

from __future__ import annotations

import errno
import socket
from time import monotonic
from typing import TYPE_CHECKING, Final

from sipengine.net.flows import Address, ConnectedFlow
from sipengine.net.framing import StreamFramer
from sipengine.net.read_buffer import BUFFER, RECEIVED

if TYPE_CHECKING:
    from sipengine.net.connections import Connections

UNSENT_PEER: Final = 256 * 1024
"""Bytes that wait for one slow reader: four largest messages. Beyond it the peer does not read."""

WAITING_MESSAGES: Final = 32
"""Messages kept while a connection is made: the requests of one ringing group to one next hop."""

# What a connection is at. OPENING: looking up the name, or waiting for the peer to accept.
NEW: Final = 0
OPENING: Final = 1
OPEN: Final = 2
FINISHING: Final = 3
CLOSED: Final = 4


class TcpFlow(ConnectedFlow):
    """A connection, accepted or ours. `since` is when its state or its half-sent message began."""

    __slots__ = (
        "_dirty",
        "_fd",
        "_framer",
        "_gathered",
        "_owner",
        "_socket",
        "_unsent",
        "active_at",
        "address",
        "asked",
        "patience",
        "proven",
        "since",
        "source",
        "state",
    )

    def __init__(
        self, owner: Connections, local: Address, remote: Address, transport: str = "TCP"
    ) -> None:
        super().__init__(transport, local, remote)
        self._owner = owner
        self._socket: socket.socket | None = None
        self._fd = -1
        self._framer = StreamFramer()
        self._gathered: list[bytes] = []
        self._unsent = b""
        self._dirty = False
        self.asked = remote
        """The address that `flow_to` was asked for: a host name, where `remote` is its address."""
        self.address = ""
        """The numeric address that was found for `asked` beforehand, or ""."""
        self.source = ""
        """The address whose share of connections this one counts for; "" if we made it."""
        self.state = NEW
        self.proven = False
        """Whether a whole message has come; before that a stranger's patience is short."""
        self.patience = owner.limits.connect_s
        """Seconds for the connection to stand, and again for its handshake."""
        self.since = self.active_at = monotonic()

    # ------------------------------------------------------------------ beginning

    def accepted(self, sock: socket.socket) -> None:
        """Begin on a connection that a peer made."""
        self._attach(sock)
        self._opened()

    def connect(
        self, sock: socket.socket, address: tuple[str, int] | tuple[str, int, int, int]
    ) -> None:
        """Begin to connect; what was sent so far waits."""
        self._attach(sock)
        result = sock.connect_ex(address)
        if result == 0:
            self._opened()
        elif result == errno.EINPROGRESS:
            self._owner.loop.add_writer(self._fd, self._connected)
        else:
            self.lose()

    def _attach(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        # Messages are written whole: waiting for more to send (Nagle) only adds delay.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A peer that lost its power says nothing: found out after 60 + 4 * 15 s of silence, or
        # when what we sent is not acknowledged within 32 s, the life of a transaction (64*T1).
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 32_000)
        self._socket = sock
        self._fd = sock.fileno()

    def _connected(self) -> None:
        assert self._socket is not None
        self._owner.loop.remove_writer(self._fd)
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.lose()
            self._owner.receiver.drain(monotonic())
            return
        self._opened()
        if self.state == OPEN:
            self.flush()

    def _opened(self) -> None:
        """The TCP connection stands. What needs a handshake of its own goes on from here."""
        self._note_addresses()
        self._begin()

    def _note_addresses(self) -> None:
        assert self._socket is not None
        try:
            self.local = self._socket.getsockname()[:2]
            self.remote = self._socket.getpeername()[:2]
        except OSError:  # it is gone already; reading tells
            pass
        self.via = self.route = ""  # they were written for another address

    def _begin(self) -> None:
        """Messages may pass."""
        self.state = OPEN
        self.since = self.active_at = monotonic()
        self._owner.opened(self)
        self._owner.loop.add_reader(self._fd, self._readable)

    # ------------------------------------------------------------------ receiving

    def _readable(self) -> None:
        assert self._socket is not None
        now = monotonic()
        receiver = self._owner.receiver
        try:
            size = self._socket.recv_into(BUFFER)
            data = bytes(RECEIVED[:size])
        except BlockingIOError:
            return
        except OSError:
            data = b""
        gate = receiver.gate
        if not data or (gate.shut and gate.blocks(self.remote[0], now)):
            self.lose()
            receiver.drain(now)
            return
        self.active_at = now
        self._take(data, now)
        receiver.drain(now)

    def _take(self, data: bytes, now: float) -> None:
        """Hand on the messages that came whole, answer keep-alives, end a stream that is none."""
        owner = self._owner
        receiver = owner.receiver
        framer = self._framer
        messages = framer.feed(data)
        if messages:
            owner.received += len(messages)
            if not self.proven:
                owner.prove(self)
            try:
                for message in messages:
                    receiver.receive(message, self, now)
            except BaseException:  # a defect of ours: what the core did before it must not wait
                receiver.drain(now)
                raise
        if framer.pings:
            owner.pings += framer.pings
            self.send(b"\r\n" * framer.pings)
            framer.pings = 0
        if framer.partial or self in owner.partial:
            owner.note_partial(self, now, waiting=framer.partial, fresh=bool(messages))
        if framer.fault:
            owner.note_fault(self, framer.fault)
            self.finish_later()

    # ------------------------------------------------------------------ sending

    def send(self, data: bytes) -> None:
        state = self.state
        if state == OPEN:
            self._gathered.append(data)
            if not self._dirty:
                self._dirty = True
                self._owner.receiver.dirty.append(self)
        elif state <= OPENING:
            if len(self._gathered) >= WAITING_MESSAGES:
                self._owner.unsent_messages += 1
                return
            self._gathered.append(data)
            if state == NEW:
                self._owner.begin(self)
        else:
            self._owner.unsent_messages += 1
            self._owner.receiver.failed.append(self)

    def flush(self) -> None:
        """Send what was gathered, in one piece; what the kernel does not take waits."""
        self._dirty = False
        gathered = self._gathered
        if not gathered or self._socket is None:
            return
        data = gathered[0] if len(gathered) == 1 else b"".join(gathered)
        gathered.clear()
        if self._unsent:
            self._keep(self._unsent + data)
            return
        try:
            sent = self._write(data)
        except OSError:
            self.lose()
            return
        if sent < len(data):
            self._owner.loop.add_writer(self._fd, self._writable)
            self._keep(data[sent:])

    def _write(self, data: bytes) -> int:
        """How much of it the connection takes now. Raises OSError if it is gone."""
        assert self._socket is not None
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def _keep(self, data: bytes) -> None:
        self._owner.unsent_bytes += len(data) - len(self._unsent)
        self._unsent = data
        if len(data) > UNSENT_PEER or self._owner.unsent_too_much:
            self._owner.note_slow(self)
            self.lose()

    def _writable(self) -> None:
        try:
            sent = self._write(self._unsent)
        except OSError:
            self.lose()
            self._owner.receiver.drain(monotonic())
            return
        self._owner.unsent_bytes -= sent
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._owner.loop.remove_writer(self._fd)
            if self.state == FINISHING:
                self.lose()
                self._owner.receiver.drain(monotonic())

    # ------------------------------------------------------------------ ending

    def finish_later(self) -> None:
        """Read no more, and close when the drain has sent what there is."""
        if self.state == OPEN:
            self._owner.loop.remove_reader(self._fd)
            self._owner.receiver.finishing.append(self)
        else:
            self.lose()

    def finish(self) -> None:
        if self.state == OPEN:
            self.flush()
        if self.state == OPEN and self._unsent:
            self.state = FINISHING
            self.since = monotonic()
            self._owner.opening[self] = None
        else:
            self.lose()

    def lose(self) -> None:
        """The connection is gone, by whichever side: let go of it and have the core told."""
        if self.state == CLOSED:
            return
        if self.state == OPENING and not self.source:
            self._owner.connect_failures += 1
        self.state = CLOSED
        self.open = False
        self._gathered.clear()
        self._owner.unsent_bytes -= len(self._unsent)
        self._unsent = b""
        if self._socket is not None:
            self._owner.loop.remove_reader(self._fd)
            self._owner.loop.remove_writer(self._fd)
            self._close()
            self._socket = None
        self._owner.closed(self)
        self._owner.receiver.failed.append(self)

    def _close(self) -> None:
        assert self._socket is not None
        self._socket.close()
