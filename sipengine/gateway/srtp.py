"""SRTP sessions, from SDES keys or of DTLS (RFC 4568, RFC 3711, RFC 7714); the cipher is libsrtp's."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from pylibsrtp import Error, Policy, Session

from sipengine.gateway.sdp.sides import SUITES, Crypto

_PROFILES: Final = {
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
OFFERED: Final = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_256_GCM")
"""What we offer to phones: first what every one of them has (RFC 4568 §6.2.1)."""

_WINDOW: Final = 1024
"""Packets of replay protection: twenty seconds of 20 ms, so that no reordering is taken for replay."""


MAX_SOURCES: Final = 64
"""Sources (SSRC) that one peer may send from: libsrtp keeps what it knows of each, some 2 kB, as long as the
key lasts, and looks for them one after another. Who changes his more often is no telephone."""


class Opener:
    """Takes the protection off packets of one peer. Both ways raise `pylibsrtp.Error` for what has none
    of its own, or comes from too many sources."""

    __slots__ = ("_rtcp", "_rtp", "_sources")

    def __init__(self, session: Session) -> None:
        self._rtp: Callable[[bytes], bytes] = session.unprotect
        self._rtcp: Callable[[bytes], bytes] = session.unprotect_rtcp
        self._sources: set[bytes] = set()

    def rtp(self, data: bytes) -> bytes:
        source = data[8:12]
        return self._rtp(data) if source in self._sources else self._first(self._rtp, data, source)

    def rtcp(self, data: bytes) -> bytes:
        source = data[4:8]
        return (
            self._rtcp(data) if source in self._sources else self._first(self._rtcp, data, source)
        )

    def _first(self, open_: Callable[[bytes], bytes], data: bytes, source: bytes) -> bytes:
        if len(self._sources) >= MAX_SOURCES:
            raise Error("too many sources")
        opened = open_(data)
        self._sources.add(source)
        return opened


def make_cryptos() -> tuple[Crypto, ...]:
    """Fresh keys for an offer."""
    return tuple(
        Crypto(tag, suite, secrets.token_bytes(SUITES[suite]))
        for tag, suite in enumerate(OFFERED, 1)
    )


def answer_crypto(offered: tuple[Crypto, ...]) -> Crypto | None:
    """Our key for the first offered suite that we speak, under its tag (RFC 4568 §5.1.2)."""
    if not offered:
        return None
    chosen = offered[0]
    return Crypto(chosen.tag, chosen.suite, secrets.token_bytes(len(chosen.key)))


def receiving(crypto: Crypto) -> Session:
    return _session(crypto, Policy.SSRC_ANY_INBOUND)


def sending(crypto: Crypto) -> Session:
    return _session(crypto, Policy.SSRC_ANY_OUTBOUND)


def _session(crypto: Crypto, kind: int) -> Session:
    policy = Policy(key=crypto.key, ssrc_type=kind, srtp_profile=_PROFILES[crypto.suite])
    policy.allow_repeat_tx = False  # one key stream, one packet (RFC 3711 §9.1)
    policy.window_size = _WINDOW
    return Session(policy)
