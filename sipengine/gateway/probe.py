"""Answers the connectivity checks of pages that only want to know whether UDP gets through."""

from __future__ import annotations

from sipengine import path_probe
from sipengine.gateway import stun


class Probe:
    """Keeps nothing between checks; whoever lacks the password gets no answer."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def answer(self, data: bytes, source: tuple[str, int], wall: float) -> bytes | None:
        """What to answer to a Binding request that is no call's, if anything (RFC 8445 §7.3)."""
        ufrag = stun.local_ufrag_of(data)
        password = path_probe.password_of(ufrag, self._key, wall)
        if password is None:
            return None
        found = stun.check(data, ufrag, password)
        if found is None:
            return None
        if found.peer_is_controlled:
            return stun.role_conflict(found.request, password)
        return stun.success(found.request, source, password)
