"""The one place that knows aiortc: DTLS and the SRTP keys it yields (RFC 5763, RFC 5764 §4.2).

`RTCDtlsTransport` asks of its transport `role`, `state`, `_recv` and `_send`; here it gets DTLS
records only, while SRTP goes past it (docs/decisions/0010-media-gateway.md). `_rx_srtp`, `_tx_srtp`, `_ssl` and `_set_role` are aiortc's
own names: its version is pinned, and tests/gateway/test_browser_leg.py drives both of its roles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceTransport
from pylibsrtp import Session

MAX_WAITING: Final = 16
"""Records that wait for the handshake; a flight has at most five datagrams."""

HANDSHAKE_S: Final = 30.0
"""For the whole handshake; DTLS repeats its flights after 1, 2, 4, 8 s."""

CERTIFICATE: Final = "certificate"
PROTECTION: Final = "protection"
HANDSHAKE: Final = "handshake"
CLOSED: Final = "closed"
WHY: Final = {
    CERTIFICATE: "the peer's certificate is not the one that its description announces",
    PROTECTION: "the peer agreed on no protection for media (SRTP) in its DTLS handshake",
    HANDSHAKE: "the DTLS handshake failed, or was not finished in time",
    CLOSED: "the peer closed its DTLS association",
}
"""Why an association ended -> the same for the log."""


class Records:
    """What aiortc takes for its ICE transport: a bounded queue in, a function out."""

    role = "controlled"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING)
        self._send_now = send

    def put(self, data: bytes) -> bool:
        """False if the queue is full: the record is lost, as on any network."""
        if self._waiting.full():
            return False
        self._waiting.put_nowait(data)
        return True

    def close(self) -> None:
        if self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def _recv(self) -> bytes:
        data = await self._waiting.get()
        if data is None:
            raise ConnectionError("closed")
        return data

    async def _send(self, data: bytes) -> None:
        self._send_now(data)


class Dtls:
    """One DTLS association. `receive` may be called before `start`: what comes early waits."""

    def __init__(
        self,
        certificate: RTCCertificate,
        send: Callable[[bytes], None],
        on_keys: Callable[[Session, Session], None],
        on_end: Callable[[str], None],
    ) -> None:
        """`on_keys(receiving, sending)` when the peer has proved its fingerprint; `on_end` when the
        handshake failed or the peer closed: with one of the four above.
        """
        self._records = Records(send)
        self._transport = RTCDtlsTransport(cast(RTCIceTransport, self._records), [certificate])
        self._on_keys = on_keys
        self._on_end = on_end
        self._life: asyncio.Task[None] | None = None
        self.over = False
        self.fingerprints: tuple[tuple[str, str], ...] = ()

    @property
    def started(self) -> bool:
        return self._life is not None

    def start(self, fingerprints: tuple[tuple[str, str], ...], *, as_client: bool) -> None:
        """Shake hands; the peer's certificate must have these (algorithm, value)."""
        self.fingerprints = fingerprints
        self._transport._set_role("client" if as_client else "server")
        self._life = asyncio.get_running_loop().create_task(self._live())

    def receive(self, data: bytes) -> bool:
        return self._records.put(data)

    def close(self) -> None:
        """End the association: the peer is told, the tasks end."""
        if self._life is None:
            return
        self._life.cancel()
        self._life = None

    async def _live(self) -> None:
        parameters = RTCDtlsParameters(
            [RTCDtlsFingerprint(algorithm, value) for algorithm, value in self.fingerprints]
        )
        ended = asyncio.Event()
        transport = self._transport

        def watch() -> None:
            if transport.state in ("closed", "failed"):
                ended.set()

        transport.on("statechange", watch)
        try:
            try:
                async with asyncio.timeout(HANDSHAKE_S):
                    await transport.start(parameters)
            except TimeoutError:
                self._end(HANDSHAKE)
                return
            if transport.state != "connected":
                self._end(self._why_not())
                return
            self._on_keys(transport._rx_srtp, transport._tx_srtp)
            await ended.wait()
            self._end(CLOSED)
        finally:
            transport.remove_listener("statechange", watch)
            self._records.close()
            await transport.stop()

    def _end(self, why: str) -> None:
        self.over = True
        self._on_end(why)

    def _why_not(self) -> str:
        """Why the handshake failed (RFC 8122 §5, RFC 5764 §4.1)."""
        transport = self._transport
        if not transport.encrypted or transport._ssl is None:
            return HANDSHAKE
        if not transport._ssl.get_selected_srtp_profile():
            return PROTECTION
        return CERTIFICATE


def make_certificate() -> RTCCertificate:
    """A self-signed certificate (ECDSA P-256), made anew by each process: a browser that meets
    another fingerprint than before shakes hands again, which is what must happen then.
    """
    return RTCCertificate.generateCertificate()


def fingerprint_of(certificate: RTCCertificate) -> str:
    """The value of a=fingerprint (RFC 8122 §5)."""
    found = next(each for each in certificate.getFingerprints() if each.algorithm == "sha-256")
    return f"{found.algorithm} {found.value}"
