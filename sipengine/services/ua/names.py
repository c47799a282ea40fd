"""Call-IDs, tags and branches that nobody can guess (RFC 3261 §8.1.1.4, §8.1.1.7, §19.3)."""

from __future__ import annotations

from hashlib import blake2s

from sipengine.services.share import Share
from sipengine.sip.via import MAGIC_COOKIE


class Names:
    """Made from a key and a count, so that a test with the same key gets the same names.

    `mark` begins every tag and stands in every branch: by it the core knows what is the user
    agent's. It is the same in every process of an installation, so that an old one's tag is
    known again. With a `share` its Call-IDs are this process's; answers find it by its branches, and
    requests by its tags.
    """

    __slots__ = ("_count", "_key", "_share", "_tag_prefix", "branch_prefix", "mark")

    def __init__(self, key: bytes, mark: str, share: Share | None = None) -> None:
        self._key = key[:32]
        self._count = 0
        self.mark = mark
        self._share = share
        digit = f"{share.number:x}" if share is not None else ""
        self.branch_prefix = f"{MAGIC_COOKIE}{digit}{mark}"
        self._tag_prefix = f"{mark}{digit}"

    def _next(self, size: int) -> bytes:
        self._count += 1
        return blake2s(self._count.to_bytes(8, "big"), key=self._key, digest_size=size).digest()

    def tag(self) -> str:
        return self._tag_prefix + self._next(8).hex()

    def call_id(self) -> str:
        return self._any_call_id() if self._share is None else self._share.chosen(self._any_call_id)

    def _any_call_id(self) -> str:
        return self._next(16).hex()

    def branch(self) -> str:
        return self.branch_prefix + self._next(8).hex()

    def session_number(self) -> int:
        """The session id of an o= line (RFC 8866 §5.2)."""
        return int.from_bytes(self._next(4), "big")

    def between(self, low: float, high: float) -> float:
        """A random time from `low` to `high`, in tenths of a second."""
        tenths = int.from_bytes(self._next(4), "big") % (round((high - low) * 10) + 1)
        return round(low + tenths / 10, 1)
