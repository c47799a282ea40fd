"""SRTP sessions from SDES keys (RFC 4568, RFC 3711, RFC 7714); the cipher is libsrtp's."""

from __future__ import annotations

import secrets
from typing import Final

from pylibsrtp import Policy, Session

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
