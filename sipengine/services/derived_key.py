"""Keys made of the engine's secret."""

from __future__ import annotations

import hashlib


def derived_key(secret: bytes, purpose: str) -> bytes:
    """A key of its own for each purpose, so that one is no help against the other."""
    return hashlib.blake2s(purpose.encode(), key=secret[:32]).digest()
