"""What tells this process of the engine from any other, and what its secret is made into."""

from __future__ import annotations

import hashlib
from typing import Final, Protocol

from sipengine.services.share import Share

CLOCK_SET: Final = 2.0
"""Seconds by which wall-clock time must have moved to be taken for set: it is steered by less, and to
read two clocks one after the other on a busy machine is not exact."""


class ClockWatcher(Protocol):
    """Whose rows tell times to come, which a clock that was set makes wrong."""

    def store_anew(self, now: float, wall: float) -> None: ...


class ThisProcess:
    """`unique` are 64 hex digits that no other process has; `tag_prefix` begins each tag that it makes
    as a server. `agent_mark` begins those of its user agent, also in the processes after this one.
    Where several processes are one engine, `share` is this one's and `unique` begins with its number,
    as one hex digit, by which answers find it.
    `offset` is what wall-clock seconds (since 1970) are ahead of monotonic ones. It may change: a
    machine that starts without the time is told it later, and a person sets a clock.
    """

    __slots__ = (
        "_life",
        "_secret",
        "agent_mark",
        "offset",
        "share",
        "tag_prefix",
        "unique",
        "watcher",
    )

    def __init__(
        self, secret: bytes, instance: str, now: float, wall: float, share: Share | None = None
    ) -> None:
        """`secret` (>= 16 bytes) is the installation's, `instance` another text in every process."""
        self._secret = secret
        self._life = f"{instance} {wall}"
        self.unique = hashlib.blake2s(instance.encode()).hexdigest()
        self.share = share = share if share is not None and share.count > 1 else None
        if share is not None:
            self.unique = f"{share.number:x}{self.unique[1:]}"
        self.tag_prefix = f"{self.unique[:8]}-"
        self.agent_mark = f"ua{self.lasting_key('tags').hex()[:8]}-"
        if share is not None:
            share.own_mark = self.agent_mark.encode()
        self.offset = wall - now
        self.watcher: ClockWatcher | None = None

    def see_clock(self, now: float, wall: float) -> float:
        """Compare the clocks; returns by how many seconds wall-clock time was set, mostly 0.0."""
        step = wall - now - self.offset
        if abs(step) < CLOCK_SET:
            return 0.0
        self.offset += step
        if self.watcher is not None:
            self.watcher.store_anew(now, wall)
        return step

    def lasting_key(self, purpose: str) -> bytes:
        """A key for `purpose` (no help against another one), the same in the processes after this."""
        return hashlib.blake2s(purpose.encode(), key=self._secret[:32]).digest()

    def passing_key(self, purpose: str) -> bytes:
        """As `lasting_key`, but gone with this process."""
        return self.lasting_key(f"{purpose} {self._life}")
