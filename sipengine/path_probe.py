"""Credentials by which a page may ask the media gateway whether UDP gets through, without a call.

The web side makes them out of the installation's secret and the gateway derives the same, as with
page credentials: `ufrag` says when they end, the password is a MAC of it (RFC 8445 §5.3). All that
they open is the answer to a connectivity check, which tells the page its own address.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Final

MARK: Final = "probe"
"""What the fragment begins with; those of calls are eight hexadecimal digits."""

LIFE_S: Final = 60
"""Seconds that they hold; a check takes ten at most."""

_ENDS: Final = 10  # hexadecimal digits of seconds since 1970


@dataclass(frozen=True, slots=True)
class ProbeCredentials:
    """As in `a=ice-ufrag` and `a=ice-pwd` (RFC 8839 §5.4)."""

    ufrag: str
    password: str = field(repr=False)


def probe_key(installation_secret: str) -> bytes:
    return blake2b(installation_secret.encode(), digest_size=32, person=b"path probe").digest()


def make(key: bytes, wall: float) -> ProbeCredentials:
    """New ones that hold for `LIFE_S` from `wall`, seconds since 1970."""
    ufrag = f"{MARK}{int(wall) + LIFE_S:0{_ENDS}x}{secrets.token_hex(4)}"
    return ProbeCredentials(ufrag, _mac(ufrag, key))


def password_of(ufrag: str, key: bytes, wall: float) -> str | None:
    """What belongs to the fragment; None if it is no probe's or is over."""
    ends = ufrag[len(MARK) : len(MARK) + _ENDS]
    if not key or not ufrag.startswith(MARK) or len(ufrag) != len(MARK) + _ENDS + 8:
        return None
    try:
        left = int(ends, 16) - wall
    except ValueError:
        return None
    return _mac(ufrag, key) if 0 < left <= LIFE_S + 5 else None


def _mac(ufrag: str, key: bytes) -> str:
    return hmac.new(key, ufrag.encode("latin-1", "replace"), sha256).hexdigest()[:32]
