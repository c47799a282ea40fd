"""One call leg's end of ICE as a lite agent (RFC 8445 §2.5): it answers checks and never sends any.

The peer is full and controlling: it nominates. Media goes to the pair it nominated last, which
is how a browser moves to another network, and stops when consent is gone (RFC 7675 §5.1).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

from sipengine.gateway import stun

CONSENT_S: Final = 30.0
"""RFC 7675 §5.1: without a fresh check for so long nothing may be sent any more."""

MAX_PAIRS: Final = 32
"""Addresses a peer may prove to be at; a browser has a handful, and each check renews its place."""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Credentials:
    """RFC 8839 §5.4; 128 bits of password."""

    ufrag: str
    password: str = field(repr=False)

    @classmethod
    def make(cls) -> Credentials:
        return cls(secrets.token_hex(4), secrets.token_hex(16))


@dataclass(frozen=True, slots=True)
class Heard:
    """What a check leads to: the answer to send, and whether media moves to this pair now."""

    answer: bytes
    selected: bool = False
    valid: bool = False
    dropped: tuple[int, Address] | None = None  # the pair that made room for this one


class IceLite:
    """Two sets of credentials may be in force: those of the last agreement and, while an ICE
    restart is under way, the new ones (RFC 8445 §2.4: media goes on over the old pair).
    """

    def __init__(self) -> None:
        self.credentials = Credentials.make()
        self._before: Credentials | None = None
        self.remote_ufrag = ""
        self._pairs: dict[tuple[int, Address], float] = {}
        self.selected: tuple[int, Address] | None = None
        self._nominated_by = ""
        self.heard_at = 0.0

    def restart(self) -> None:
        """New credentials for the next description (RFC 8445 §9); the old pair stays until a new one is nominated."""
        self._before = self.credentials
        self.credentials = Credentials.make()

    def agree(self, remote_ufrag: str) -> bool:
        """The peer's fragment as agreed on; True if that was an ICE restart of the peer's."""
        changed = bool(self.remote_ufrag) and remote_ufrag != self.remote_ufrag
        self.remote_ufrag = remote_ufrag
        return changed

    def receive(self, data: bytes, way: int, source: Address, now: float) -> Heard | None:
        """Judge a Binding request that came in by socket `way`. None: drop it, it proves nothing."""
        ufrag = stun.local_ufrag_of(data)
        for each in (self.credentials, self._before):
            if each is not None and each.ufrag == ufrag:
                break
        else:
            return None
        found = stun.check(data, each.ufrag, each.password)
        if found is None:
            return None
        new = each is self.credentials
        if new and self.remote_ufrag and found.remote_ufrag != self.remote_ufrag:
            return None  # of another session of the peer's
        if found.peer_is_controlled:
            return Heard(stun.role_conflict(found.request, each.password))
        pair = (way, source)
        self._pairs.pop(pair, None)
        self._pairs[pair] = now
        dropped = None
        if len(self._pairs) > MAX_PAIRS:
            dropped = next(known for known in self._pairs if known not in (self.selected, pair))
            del self._pairs[dropped]
        self.heard_at = now
        selected = False
        if found.nominated and pair != self.selected and (new or not self._nominated_by):
            self.selected = pair
            self._nominated_by = each.ufrag
            selected = True
        if found.nominated and new:
            self._before = None
        return Heard(stun.success(found.request, source, each.password), selected, True, dropped)

    def knows(self, way: int, source: Address) -> bool:
        """Whether this address has proved itself by a check."""
        return (way, source) in self._pairs

    def has_consent(self, now: float) -> bool:
        return now - self.heard_at < CONSENT_S
