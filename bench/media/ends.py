"""The two ends of a measured call: a UDP socket that speaks RTP, SRTP with SDES keys, or as a browser does."""

from __future__ import annotations

import asyncio
import secrets
import socket
from typing import Final

from aioice.stun import Class, Message, Method, parse_message
from pylibsrtp import Session

from bench.media.servers import HERE
from sipengine.gateway import srtp
from sipengine.gateway.dtls import Dtls, fingerprint_of, make_certificate
from sipengine.gateway.sdp.description import parse
from sipengine.gateway.sdp.sides import Crypto, Remote, read_remote
from sipengine.services.ports import TO_RTP, TO_SRTP, TO_WEB

SO_TIMESTAMPNS: Final = 35
BUFFER: Final = 1 << 20
CERTIFICATE: Final = make_certificate()
FORMATS: Final = {
    "PCMU": (0, 160, "a=rtpmap:0 PCMU/8000\r\n"),
    "OPUS": (96, 960, "a=rtpmap:96 opus/48000/2\r\n"),
}
"""Codec -> payload number, timestamp units of 20 ms, its lines."""


class End:
    """RTP, and the ground of the others. `where` is known after `connect`."""

    protocol = TO_RTP
    web = False

    def __init__(self, codec: str) -> None:
        self.number, self.step, self.map = FORMATS[codec]
        self.codec = codec
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self.socket.bind((HERE, 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.where = (HERE, 0)
        self.protect = None
        self.unprotect = None

    def _lines(self, answering: bool) -> str:
        return ""

    def describe(self, answering: bool) -> str:
        return (
            f"v=0\r\no=- 1 1 IN IP4 {HERE}\r\ns=-\r\nc=IN IP4 {HERE}\r\nt=0 0\r\n"
            f"m=audio {self.port} {self.protocol} {self.number}\r\n{self.map}a=ptime:20\r\na=sendrecv\r\n"
            + self._lines(answering)
        )

    def connect(self, sdp: str) -> None:
        """Take the gateway's description."""
        description = parse(sdp)
        remote = read_remote(description, description.media[0])
        self.where = (remote.host, remote.port)
        self._agree(remote)

    def _agree(self, remote: Remote) -> None:
        return

    def _use(self, receiving: Session, sending: Session) -> None:
        self.protect, self.unprotect = sending.protect, receiving.unprotect

    async def shake_hands(self) -> None:
        return

    def end(self) -> None:
        """Say good-bye; the socket stays open for it until `close`."""
        return

    def close(self) -> None:
        self.socket.close()


class SrtpEnd(End):
    protocol = TO_SRTP

    def __init__(self, codec: str) -> None:
        super().__init__(codec)
        self._key = Crypto(1, "AES_CM_128_HMAC_SHA1_80", secrets.token_bytes(30))

    def _lines(self, answering: bool) -> str:
        return self._key.line() + "\r\n"

    def _agree(self, remote: Remote) -> None:
        self._use(srtp.receiving(remote.cryptos[0]), srtp.sending(self._key))


class WebEnd(End):
    """Full ICE with one candidate, DTLS as the client, everything on one port."""

    protocol = TO_WEB
    web = True

    def __init__(self, codec: str) -> None:
        super().__init__(codec)
        self._ufrag, self._password = secrets.token_hex(4), secrets.token_hex(16)
        self._remote: Remote | None = None
        self._proved = asyncio.Event()
        self._keys = asyncio.Event()
        self._why = ""
        self._dtls = Dtls(CERTIFICATE, self._send, self._on_keys, self._on_end)

    def _lines(self, answering: bool) -> str:
        return (
            f"a=rtcp-mux\r\na=mid:0\r\na=ice-ufrag:{self._ufrag}\r\na=ice-pwd:{self._password}\r\n"
            f"a=fingerprint:{fingerprint_of(CERTIFICATE)}\r\n"
            f"a=setup:{'active' if answering else 'actpass'}\r\n"
            f"a=candidate:1 1 udp 2130706431 {HERE} {self.port} typ host\r\na=end-of-candidates\r\n"
        )

    def _agree(self, remote: Remote) -> None:
        self._remote = remote

    def _send(self, data: bytes) -> None:
        self.socket.sendto(data, self.where)

    def _on_keys(self, receiving: Session, sending: Session) -> None:
        self._use(receiving, sending)
        self._keys.set()

    def _on_end(self, why: str) -> None:
        self._why = why
        self._keys.set()

    def _check(self) -> None:
        remote = self._remote
        assert remote is not None
        request = Message(Method.BINDING, Class.REQUEST)
        request.attributes["USERNAME"] = f"{remote.ufrag}:{self._ufrag}"
        request.attributes["PRIORITY"] = 1853693695
        request.attributes["ICE-CONTROLLING"] = 7
        request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(remote.password.encode())
        self._send(bytes(request))

    async def shake_hands(self) -> None:
        loop = asyncio.get_running_loop()
        remote = self._remote
        assert remote is not None
        loop.add_reader(self.socket, self._read)
        try:
            async with asyncio.timeout(20):
                while not self._proved.is_set():
                    self._check()
                    await asyncio.wait([loop.create_task(self._proved.wait())], timeout=0.3)
                self._dtls.start(remote.fingerprints, as_client=True)
                await self._keys.wait()
        finally:
            loop.remove_reader(self.socket)
        if self._why:
            raise SystemExit(self._why)

    def _read(self) -> None:
        while True:
            try:
                data, source = self.socket.recvfrom(2048)
            except BlockingIOError:
                return
            if 20 <= data[0] < 64:
                self._dtls.receive(data)
            elif data[0] < 4:
                self._on_stun(data, source)

    def _on_stun(self, data: bytes, source: tuple[str, int]) -> None:
        message = parse_message(data)
        if message.message_class == Class.RESPONSE:
            self._proved.set()
        elif message.message_class == Class.REQUEST:
            answer = Message(Method.BINDING, Class.RESPONSE, message.transaction_id)
            answer.attributes["XOR-MAPPED-ADDRESS"] = source
            answer.add_message_integrity(self._password.encode())
            self.socket.sendto(bytes(answer), source)

    def end(self) -> None:
        self._dtls.close()


KINDS: Final = {
    "rtp": (End, "PCMU", End, "PCMU"),
    "sdes": (SrtpEnd, "PCMU", End, "PCMU"),
    "dtls": (WebEnd, "PCMU", End, "PCMU"),
    "opus": (WebEnd, "OPUS", End, "PCMU"),
    "opus-rtp": (End, "OPUS", End, "PCMU"),
}
"""Name -> (caller's end, its codec, callee's end, its codec)."""
