"""Published presence: what phones say of their users themselves (RFC 3903 §6)."""

from __future__ import annotations

from typing import Final

from sipengine.services.events.pidf import Presence
from sipengine.sip.errors import RemoteProtocolError

MAX_OF_USER: Final = 10
"""Publications of one user at once: one a device."""
MAX_TOTAL: Final = 100_000


class Publication:
    """One device's word. `expires` is monotonic; `etag` names this state of it and no other."""

    __slots__ = ("etag", "expires", "presence", "serial")

    def __init__(self, etag: str, presence: Presence, expires: float, serial: int) -> None:
        self.etag = etag
        self.presence = presence
        self.expires = expires
        self.serial = serial


class Publications:
    """All publications, by AOR. They live as long as the engine: a device whose entity-tag is not
    known any more is told so by 412 and publishes anew (RFC 3903 §4.1)."""

    __slots__ = ("_count", "_of_aor", "_prefix", "_total")

    def __init__(self, prefix: str) -> None:
        """`prefix` is different in every process, so that no entity-tag of an earlier one is taken for ours."""
        self._prefix = prefix
        self._count = 0
        self._total = 0
        self._of_aor: dict[str, list[Publication]] = {}

    def __len__(self) -> int:
        return self._total

    def find(self, aor: str, etag: str, now: float) -> Publication:
        """The publication that a SIP-If-Match names. Raises 412 if there is none (RFC 3903 §6 step 3)."""
        for publication in self._of_aor.get(aor, ()):
            if publication.etag == etag and publication.expires > now:
                return publication
        raise RemoteProtocolError(412, "Conditional Request Failed")

    def begin(self, aor: str, presence: Presence, expires: float, now: float) -> str:
        """A new publication; its entity-tag. Raises `RemoteProtocolError` 503 if there are too many.

        A device that was restarted has forgotten its entity-tag: at a user's limit his oldest word goes.
        """
        mine = self._of_aor.get(aor, [])
        if len(mine) >= MAX_OF_USER:
            self.remove(aor, min(mine, key=_serial))
        if self._total >= MAX_TOTAL:
            raise RemoteProtocolError(503, "Service Unavailable: too many publications")
        publication = Publication("", presence, expires, 0)
        self._name(publication)
        self._of_aor.setdefault(aor, mine).append(publication)
        self._total += 1
        return publication.etag

    def refresh(self, publication: Publication, expires: float) -> str:
        """Prolong it; it has another entity-tag from now on (RFC 3903 §6 step 6)."""
        publication.expires = expires
        self._name(publication)
        return publication.etag

    def modify(self, publication: Publication, presence: Presence, expires: float) -> str:
        publication.presence = presence
        return self.refresh(publication, expires)

    def remove(self, aor: str, publication: Publication) -> None:
        mine = self._of_aor[aor]
        mine.remove(publication)
        self._total -= 1
        if not mine:
            del self._of_aor[aor]

    def expire(self, aor: str, now: float) -> None:
        for publication in list(self._of_aor.get(aor, ())):
            if publication.expires <= now:
                self.remove(aor, publication)

    def runs_out(self, aor: str) -> float:
        """When the first of this user's publications ends, 0.0 if there is none."""
        return min((p.expires for p in self._of_aor.get(aor, ())), default=0.0)

    def latest(self, aor: str, now: float) -> Presence | None:
        """What was said last and still holds: a user has one state, whichever device told it."""
        best: Publication | None = None
        for publication in self._of_aor.get(aor, ()):
            if publication.expires > now and (best is None or publication.serial > best.serial):
                best = publication
        return None if best is None else best.presence

    def _name(self, publication: Publication) -> None:
        self._count += 1
        publication.serial = self._count
        publication.etag = f"{self._prefix}{self._count:x}"


def _serial(publication: Publication) -> int:
    return publication.serial
