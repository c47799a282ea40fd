"""One SIP connection over WebSocket (RFC 7118): a SIP message is a WebSocket message, text or binary.

The framing is that of the `websockets` package, without its sockets. What comes encrypted (wss) comes
by way of the web part, which relays it and says by a signed note who it is from.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Final

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from sipengine.net.flows import Address
from sipengine.net.read_buffer import BUFFER, RECEIVED
from sipengine.net.tcp import OPEN, OPENING, TcpFlow
from sipengine.net.ws_admission import SUBPROTOCOL, Refused, WsAdmission
from sipengine.sip.parser import MAX_HEAD, MAX_MESSAGE

if TYPE_CHECKING:
    from sipengine.net.connections import Connections

PIECE: Final = 8_192
"""Bytes read at once: 1,400 of the smallest frames, some 40 ms; a browser's INVITE is 3 to 6 kB."""

FRAGMENTS: Final = 64
"""Pieces that one message may come in: browsers send one, proxies cut at 4 kB and more."""

CONTROL_FRAMES: Final = 100
"""Pings and pongs in one piece read: nobody honest has sent two."""

_PING: Final = b"\r\n\r\n"
_SILENT: Final = logging.getLogger("sipengine.net.ws")
"""For the package's remarks on each connection, which say nothing that our counters do not."""
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
_SILENT.setLevel(logging.CRITICAL)


class WsFlow(TcpFlow):
    """A WebSocket that a client opened; WS, or WSS when the relay says so. We never open one."""

    __slots__ = ("_admission", "_begun", "_faulty", "_fragments", "_opcode", "_protocol")

    def __init__(
        self, owner: Connections, local: Address, remote: Address, admission: WsAdmission
    ) -> None:
        super().__init__(owner, local, remote, "WS")
        self._admission = admission
        self._protocol = ServerProtocol(
            subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=MAX_MESSAGE, logger=_SILENT
        )
        self._begun = 0  # bytes of the opening request so far
        self._fragments: list[bytes] = []
        self._opcode = Opcode.TEXT
        self._faulty = False  # we ended it: what comes behind is not looked at

    # ------------------------------------------------------------------ the opening request

    def _opened(self) -> None:
        self._note_addresses()
        self.state = OPENING
        self.since = monotonic()
        self._owner.opening[self] = None
        self._owner.loop.add_reader(self._fd, self._readable)

    def _answer(self, request: Request) -> None:
        """Accept or refuse the opening request (RFC 6455 §4.2.2, RFC 7118 §4.1)."""
        protocol = self._protocol
        response = protocol.accept(request)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            try:
                self._admit(request)
            except Refused as refused:
                response = protocol.reject(refused.status, f"{refused}\n")
        protocol.send_response(response)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self._begin()
            self._owner.keep_alives.add(self, self.since)
        else:
            self._owner.note_handshake(self, f"WebSocket refused with {response.status_code}")

    def _admit(self, request: Request) -> None:
        client = self._admission.judge(request.path, request.headers)
        if client is None:
            return
        if not self._owner.move_source(self, client.host):
            raise Refused(503, "Too many connections from that address, or none is wanted.")
        self.remote = (client.host, client.port)
        if client.secure:
            self.transport = "WSS"

    # ------------------------------------------------------------------ receiving

    def _readable(self) -> None:
        assert self._socket is not None
        now = monotonic()
        try:
            size = self._socket.recv_into(BUFFER, PIECE)
            data = bytes(RECEIVED[:size])
        except BlockingIOError:
            return
        except OSError:
            data = b""
        gate = self._owner.receiver.gate
        if data and not (gate.shut and gate.blocks(self.remote[0], now)):
            self.active_at = now
            self._take(data, now)
        else:
            self.lose()
        self._owner.receiver.drain(now)

    def _take(self, data: bytes, now: float) -> None:
        owner = self._owner
        protocol = self._protocol
        if self.state == OPENING:
            self._begun += len(data)
            if self._begun > MAX_HEAD:
                owner.note_handshake(self, "WebSocket's opening request too large")
                self.lose()
                return
        protocol.receive_data(data)
        whole = control = 0
        for event in protocol.events_received():
            if isinstance(event, Request):
                self._answer(event)
                self._faulty = protocol.state is not State.OPEN
            elif not isinstance(event, Frame) or event.opcode is Opcode.CLOSE:
                break
            elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                whole += self._frame(event, now)
            else:
                control += 1
            if self._faulty:  # not by `protocol.state`: that is of all that was read, its end too
                break
        if control > CONTROL_FRAMES:
            self._fail(CloseCode.POLICY_VIOLATION, "too many control frames")
        waiting = bool(self._fragments) or bool(protocol.reader.buffer)
        if waiting or self in owner.partial:
            owner.note_partial(self, now, waiting=waiting, fresh=bool(whole))
        self._emit()

    def _frame(self, frame: Frame, now: float) -> bool:
        """One data frame; whether it made a message whole."""
        if frame.opcode is not Opcode.CONT:
            self._opcode = frame.opcode
        if not frame.fin or self._fragments:
            self._fragments.append(bytes(frame.data))
            if len(self._fragments) > FRAGMENTS:
                self._fail(CloseCode.POLICY_VIOLATION, "too many fragments")
                return False
            if not frame.fin:
                return False
        message = b"".join(self._fragments) if self._fragments else bytes(frame.data)
        self._fragments.clear()
        if self._opcode is Opcode.TEXT and not message.isascii():
            try:
                message.decode()
            except UnicodeDecodeError:  # RFC 6455 §8.1
                self._fail(CloseCode.INVALID_DATA, "not UTF-8")
                return False
        self._message(message, now)
        return True

    def _message(self, message: bytes, now: float) -> None:
        owner = self._owner
        if not message.strip(b"\r\n\0"):
            if _PING in message:  # RFC 7118 §6: the keep-alive of RFC 5626 §4.4.1 may be used
                owner.pings += 1
                self.send(b"\r\n")
            return
        owner.received += 1
        if not self.proven:
            owner.prove(self)
        try:
            owner.receiver.receive(message, self, now)
        except BaseException:  # a defect of ours: what the core did before it must not wait
            owner.receiver.drain(now)
            raise

    def _fail(self, code: CloseCode, why: str) -> None:
        """End it for a fault of the peer's (RFC 6455 §7.1.7)."""
        self._faulty = True
        if self._protocol.state is State.OPEN:
            self._protocol.fail(code, why)

    # ------------------------------------------------------------------ sending

    def send(self, data: bytes) -> None:
        if self.state != OPEN or self._protocol.state is not State.OPEN:
            self._owner.unsent_messages += 1
            self._owner.receiver.failed.append(self)
            return
        opcode = Opcode.TEXT if is_text(data) else Opcode.BINARY
        super().send(Frame(opcode, data).serialize(mask=False))

    def _emit(self) -> None:
        """Send what the framing has to say: the answer to the opening, pongs, the close."""
        protocol = self._protocol
        writes = protocol.data_to_send()
        if not writes:
            return
        if self.state == OPEN:
            super().send(b"".join(writes))
        else:
            self._gathered.append(b"".join(writes))
            self.flush()
        if SEND_EOF in writes:
            ours = protocol.close_sent
            if ours is not None and protocol.close_rcvd is None:
                self._owner.note_fault(self, f"WebSocket: {ours.reason or ours.code}")
            self.finish_later()

    # ------------------------------------------------------------------ signs of life, the end

    @property
    def is_open(self) -> bool:
        return self.state == OPEN and self._protocol.state is State.OPEN

    def ping(self) -> None:
        """Ask the client for a sign of life (RFC 6455 §5.5.2)."""
        self._protocol.send_ping(b"")
        self._emit()

    def go_silent(self) -> None:
        self._owner.timed_out += 1
        self.lose()

    def _close(self) -> None:
        assert self._socket is not None
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.GOING_AWAY)
            with suppress(OSError):
                self._socket.send(b"".join(self._protocol.data_to_send()))
        super()._close()


def is_text(data: bytes) -> bool:
    """Whether a message may go in a text frame: it is UTF-8 (RFC 6455 §5.6, RFC 7118 §4.2)."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
