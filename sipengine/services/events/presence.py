"""The event package `presence`: whether somebody can be reached and what he does (RFC 3856).

What a user's devices publish comes first. Else it follows from what this server knows: he has a
phone registered, he is on the phone.
"""

from __future__ import annotations

from typing import Final

from sipengine.services.events.call_watch import CallWatch
from sipengine.services.events.package import Package
from sipengine.services.events.pidf import TYPE, Presence, document
from sipengine.services.events.publications import Publications
from sipengine.services.events.subscription import Subscription
from sipengine.services.location import Location

ON_THE_PHONE: Final = Presence(True, ("on-the-phone",), "On the phone")
REACHABLE: Final = Presence(True)
AWAY: Final = Presence(False)


class PresencePackage(Package):
    """`watched` counts the resources that somebody watches: while there is none, no change is looked at."""

    __slots__ = ("_calls", "_location", "_publications", "watched")

    def __init__(self, calls: CallWatch, location: Location, publications: Publications) -> None:
        # Interop: Cisco and Linksys telephones ask for PIDF by the name of its drafts alone.
        super().__init__("presence", TYPE, same_types=("application/cpim-pidf+xml",))
        self._calls = calls
        self._location = location
        self._publications = publications
        self.watched = 0

    def first_watcher(self, resource: str) -> None:
        self.watched += 1
        self._calls.watch(resource)

    def last_watcher_gone(self, resource: str) -> None:
        self.watched -= 1
        self._calls.unwatch(resource)

    def knows(self, resource: str) -> bool:
        return self._calls.knows(resource)

    def state(self, aor: str, now: float) -> Presence:
        published = self._publications.latest(aor, now)
        talks = self._calls.is_on_the_phone(aor)
        if published is not None:
            if (
                talks and published.open and not published.activities
            ):  # a phone that only says it is on
                return Presence(True, ON_THE_PHONE.activities, published.note or ON_THE_PHONE.note)
            return published
        if talks:
            return ON_THE_PHONE
        return REACHABLE if self._location.contacts(aor, now) else AWAY

    def document(self, subscription: Subscription, version: int, now: float) -> str | None:
        text = document(subscription.resource, self.state(subscription.resource, now))
        if not subscription.whole and subscription.told.get("") == text:
            return None
        subscription.told = {"": text}
        return text
