"""Nonces that need no memory until they are used, and the memory of those that were (RFC 7616 §5.4, §5.5)."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2s
from itertools import count
from typing import Final

MAX_USED: Final = 65_536
"""Used nonces remembered, about 10 MB. With more, the oldest second is forgotten and every nonce of
it and before becomes stale: under 65,536 registrations in a lifetime nobody notices, above that
phones are challenged once more than they would be."""

_WINDOW: Final = 32
"""Counts below the highest that may still come: datagrams overtake each other, but not by more."""

_MASK: Final = (1 << _WINDOW) - 1
_LONGEST: Final = 48
_REPEATS: Final = 32
"""Seconds that a request may be retransmitted in (64 * T1, §17.1.2.2)."""
_SIGNATURE: Final = 16  # hex digits
_ORIGIN: Final = 8  # hex digits
_HEAD: Final = 8 + _SIGNATURE
_SERIAL: Final = _HEAD + _ORIGIN


class Nonces:
    """Makes nonces, knows its own again, and lets each count of each nonce pass once.

    A nonce is 8 hex digits of the second it was made in (monotonic), 16 of a signature over that
    second and the realm, 8 of one over the source it was given to (RFC 7616 §5.5 allows to bind it
    so), then a serial number. The serial is not signed: one who has a second's signature can make
    more nonces of that second, which are as good as those he could ask for.

    Who echoes a nonce of his own source has received it there: his address is not forged.

    `key` must be another in every process: the counts are forgotten with the process, so that the
    nonces of an earlier one must be unknown.
    """

    def __init__(self, key: bytes, lifetime: int) -> None:
        self.lifetime = lifetime
        self._keyed = blake2s(key=key[:32], person=b"nonce", digest_size=8)
        self._serial = count(1)
        self._used: dict[int, dict[int, int]] = {}  # second -> serial -> counts seen
        self._count = 0
        self._floor = 0  # seconds before this one are stale
        self._swept = 0
        self._accepted: set[int] = set()  # requests let through in this span of `_REPEATS` ..
        self._accepted_before: set[int] = set()  # .. and in the one before
        self._turned = 0.0
        self.head = lru_cache(maxsize=1024)(self._head)
        self.origin = lru_cache(maxsize=16_384)(self._origin)

    def _head(self, realm: str, second: int) -> str:
        """The part that all nonces of one realm and second share; a nonce is `head`, `origin`, `serial`."""
        mac = self._keyed.copy()
        mac.update(f"{second}:{realm}".encode("latin-1", "replace"))
        return f"{second & 0xFFFFFFFF:08x}{mac.hexdigest()}"

    def _origin(self, source: str) -> str:
        """8 hex digits that tell a source from others (`guard.sources.source_of`)."""
        mac = self._keyed.copy()
        mac.update(f"from {source}".encode("latin-1", "replace"))
        return mac.hexdigest()[:_ORIGIN]

    def serial(self) -> str:
        """A serial number that this process has not given yet."""
        return str(next(self._serial))

    def is_fresh(self, nonce: str, realm: str, source: str, now: float) -> bool:
        """Whether `nonce` is ours, was given to `source` and is not too old. Used or not."""
        if len(nonce) > _LONGEST or nonce[_HEAD:_SERIAL] != self.origin(source):
            return False
        try:
            second = int(nonce[:8], 16)
        except ValueError:
            return False
        return now - self.lifetime <= second <= now and nonce[:_HEAD] == self.head(realm, second)

    def use(self, nonce: str, count: int, request: int, now: float) -> bool:
        """Take note that somebody who knew the password used `nonce`, which `is_fresh`, with `count`.

        `request` is a hash of the whole request and its source, 0 if it cannot be a retransmission.
        False if the nonce is forgotten, or was used with this count by another request.
        """
        try:
            second, serial = int(nonce[:8], 16), int(nonce[_SERIAL:])
        except ValueError:
            return False
        if second < self._floor:
            return False
        if now >= self._swept + 1:
            self._sweep(now)
        if not self._count_once(second, serial, count):
            return request != 0 and (request in self._accepted or request in self._accepted_before)
        if request:
            self._accepted.add(request)
        return True

    def _count_once(self, second: int, serial: int, count: int) -> bool:
        used = self._used.get(second)
        if used is None:
            used = self._used[second] = {}
        state = used.get(serial)
        if state is None:
            used[serial] = (count << _WINDOW) | 1
            self._count += 1
            if self._count > MAX_USED:
                self._forget(min(self._used))
            return True
        ahead = count - (state >> _WINDOW)
        if ahead > 0:
            seen = (state << ahead | 1) & _MASK if ahead < _WINDOW else 1
            used[serial] = (count << _WINDOW) | seen
            return True
        if ahead <= -_WINDOW or state >> -ahead & 1:
            return False
        used[serial] = state | 1 << -ahead
        return True

    def _sweep(self, now: float) -> None:
        """Forget, once a second, what has grown too old to be used."""
        self._swept = int(now)
        for second in [s for s in self._used if s < now - self.lifetime]:
            self._count -= len(self._used.pop(second))
        if now >= self._turned + _REPEATS or len(self._accepted) > MAX_USED:
            # A retransmission that is forgotten early is only challenged again.
            self._accepted_before, self._accepted = self._accepted, set()
            self._turned = now

    def _forget(self, second: int) -> None:
        self._floor = max(self._floor, second + 1)
        self._count -= len(self._used.pop(second))

    def __len__(self) -> int:
        """How many used nonces are remembered."""
        return self._count
