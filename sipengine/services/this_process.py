"""What tells this process of the engine from any other, and what its secret is made into."""

from __future__ import annotations

import hashlib


class ThisProcess:
    """`unique` are 64 hex digits that no other process has; `tag_prefix` begins each tag that it makes
    as a server. `agent_mark` begins those of its user agent, also in the processes after this one.
    `offset` is what wall-clock seconds (since 1970) are ahead of monotonic ones.
    """

    __slots__ = ("_life", "_secret", "agent_mark", "offset", "tag_prefix", "unique")

    def __init__(self, secret: bytes, instance: str, now: float, wall: float) -> None:
        """`secret` (>= 16 bytes) is the installation's, `instance` another text in every process."""
        self._secret = secret
        self._life = f"{instance} {wall}"
        self.unique = hashlib.blake2s(instance.encode()).hexdigest()
        self.tag_prefix = f"{self.unique[:8]}-"
        self.agent_mark = f"ua{self.lasting_key('tags').hex()[:8]}-"
        self.offset = wall - now

    def lasting_key(self, purpose: str) -> bytes:
        """A key for `purpose` (no help against another one), the same in the processes after this."""
        return hashlib.blake2s(purpose.encode(), key=self._secret[:32]).digest()

    def passing_key(self, purpose: str) -> bytes:
        """As `lasting_key`, but gone with this process."""
        return self.lasting_key(f"{purpose} {self._life}")
