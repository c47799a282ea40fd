"""An event package: what can be subscribed to, and how its state is written (RFC 6665 §5)."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Final

from sipengine.services.events.subscription import BURST, Subscription

_REFUSED: Final = re.compile(r"(?i)(?:^|;)\s*q\s*=\s*0(?:\.0*)?\s*(?:;|$)")
"""The parameters of a type that is named only to be refused (RFC 3261 §20.1)."""


class Package(ABC):
    """What all packages have in common; each is a class of its own.

    `name` stands in the Event header, `content_type` is that of its documents, `expires` what is
    granted when the subscriber asks for nothing, in seconds. In the long run a subscriber is told
    news once in `interval` seconds, `burst` of them may follow each other at once.
    """

    __slots__ = ("burst", "content_type", "expires", "interval", "name", "same_types")

    def __init__(
        self,
        name: str,
        content_type: str,
        expires: int = 3600,
        interval: float = 1.0,
        burst: float = BURST,
        same_types: tuple[str, ...] = (),
    ) -> None:
        """`same_types` are other names of `content_type` that telephones ask for."""
        self.name = name
        self.content_type = content_type
        self.expires = expires
        self.interval = interval
        self.burst = burst
        self.same_types = same_types

    def may_subscribe(self, subscriber: str, resource: str) -> bool:
        """Whether the user `subscriber` may know this of `resource`; both are AORs of one domain."""
        return True

    def first_watcher(self, resource: str) -> None:  # noqa: B027  few packages need to know
        """Somebody subscribes to a resource that nobody watched until now."""

    def last_watcher_gone(self, resource: str) -> None:  # noqa: B027  the same
        """Nobody watches the resource any more."""

    def knows(self, resource: str) -> bool:
        """Whether the state can be told at once; else `first_watcher` asks for it, and it comes soon."""
        return True

    @abstractmethod
    def document(self, subscription: Subscription, version: int, now: float) -> str | None:
        """The state to tell, None if this subscriber knows it; notes in `told` what it says.

        It is complete if `subscription.whole`.
        """

    def kind_for(self, accepted: list[str]) -> str:
        """The type under which a subscriber takes our documents, by the values of its Accept header
        (§20.1): `content_type` or another name for the same documents; "" if it takes none.

        No Accept header means the package's own type (RFC 6665 §3.1.3).
        """
        if not accepted:
            return self.content_type
        taken: set[str] = set()
        for value in accepted:
            kind, _, rest = value.partition(";")
            if not _REFUSED.search(rest):
                taken.add(kind.strip().lower())
        for kind in (self.content_type, *self.same_types):
            if kind in taken:
                return kind
        group = self.content_type.partition("/")[0]
        return self.content_type if taken & {f"{group}/*", "*/*"} else ""
