"""One SIP connection over TLS (RFC 3261 §26.2.1, RFC 5922, RFC 5923): TCP with a handshake before it.

Whoever connects to us is not asked for a certificate: phones prove themselves by their password.
So a connection that was made to us is never used for other domains by an `alias` in a Via, which
takes a certificate of both sides (RFC 5923 §8.2): only for what registered on it. A connection that
we made is used both ways, and our Via says so (services.own_addresses).
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final

from sipengine.net.certificates import Certificates
from sipengine.net.domain_identity import is_for
from sipengine.net.flows import Address
from sipengine.net.read_buffer import BUFFER, RECEIVED
from sipengine.net.tcp import OPENING, TcpFlow

if TYPE_CHECKING:
    from sipengine.net.connections import Connections

PIECE: Final = 16_384
"""Bytes read at once: the largest TLS record; what follows wakes us again."""


class TlsFlow(TcpFlow):
    """A TLS connection, accepted or ours."""

    __slots__ = ("_certificates", "_tls")

    def __init__(
        self, owner: Connections, local: Address, remote: Address, certificates: Certificates
    ) -> None:
        super().__init__(owner, local, remote, "TLS")
        self._certificates = certificates
        self._tls: ssl.SSLSocket | None = None

    # ------------------------------------------------------------------ the handshake

    def _opened(self) -> None:
        self._note_addresses()
        assert self._socket is not None
        theirs = bool(self.source)
        context = self._certificates.server if theirs else self._certificates.client
        try:
            self._socket = self._tls = context.wrap_socket(
                self._socket,
                server_side=theirs,
                do_handshake_on_connect=False,
                server_hostname=None if theirs else self.asked[0],
            )
        except (OSError, ValueError):  # it is gone already; or a name that TLS cannot say
            self.lose()
            return
        self._fd = self._tls.fileno()
        self.state = OPENING
        self.since = monotonic()
        self._owner.opening[self] = None
        if theirs:
            self._owner.loop.add_reader(self._fd, self._go_on)
        else:
            self._owner.handshakes.later(self)

    def _go_on(self) -> None:
        self._owner.loop.remove_reader(self._fd)
        self._owner.loop.remove_writer(self._fd)
        self._owner.handshakes.later(self)

    def shake(self) -> None:
        """Do the next step of the handshake (net.handshakes has its turn come)."""
        tls = self._tls
        if self.state != OPENING or tls is None:
            return
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._owner.loop.add_reader(self._fd, self._go_on)
            return
        except ssl.SSLWantWriteError:
            self._owner.loop.add_writer(self._fd, self._go_on)
            return
        except OSError as error:
            self._refuse(f"no TLS: {getattr(error, 'reason', '') or error.strerror or error}")
            return
        if not self.source and not is_for(tls.getpeercert(), self.asked[0]):
            self._refuse(f"its certificate is not for {self.asked[0]}")  # RFC 5922 §7.3
            return
        self._begin()
        self.flush()

    def _refuse(self, why: str) -> None:
        self._owner.note_handshake(self, why)
        self.lose()
        self._owner.receiver.drain(monotonic())

    # ------------------------------------------------------------------ bytes

    def _readable(self) -> None:
        assert self._tls is not None
        now = monotonic()
        try:
            size = self._tls.recv_into(BUFFER, PIECE)
            data = bytes(RECEIVED[:size])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return  # half a record, or one of TLS's own
        except OSError:
            data = b""
        gate = self._owner.receiver.gate
        if data and not (gate.shut and gate.blocks(self.remote[0], now)):
            self.active_at = now
            self._take(data, now)
        else:
            self.lose()
        self._owner.receiver.drain(now)

    def _write(self, data: bytes) -> int:
        assert self._tls is not None
        try:
            return self._tls.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0  # tried again with these bytes and what came behind them

    def _close(self) -> None:
        if self._tls is not None and self.proven:
            with suppress(OSError, ValueError):
                self._tls.unwrap()  # close_notify (RFC 5246 §7.2.1), as far as it goes at once
        super()._close()
        self._tls = None
