"""The event package `reg`: a user's phones hear of each other's registrations (RFC 3680)."""

from __future__ import annotations

from typing import Final

from sipengine.services.binding import Binding
from sipengine.services.events.dialog_package import WHOLE_BYTES
from sipengine.services.events.package import Package
from sipengine.services.events.reg_info import (
    ACTIVE,
    INIT,
    TERMINATED,
    TYPE,
    UNREGISTERED,
    contact_gone,
    contact_there,
    document,
    identity_of,
    word_of,
)
from sipengine.services.events.subscription import Subscription
from sipengine.services.location import EXPIRED, Location
from sipengine.services.this_process import ThisProcess

EXPIRES: Final = 3761
"""RFC 3680 §4.4: a little longer than a registration."""

INTERVAL_S: Final = 5.0
"""RFC 3680 §4.10: news of one user at most so often to one subscriber."""

MAX_ENDED: Final = 50
"""Contacts of one user whose end is remembered until it is told; of older ones it says `expired`."""


class RegPackage(Package):
    """State comes from the location service. `watched` counts the users that somebody watches."""

    __slots__ = ("_ended", "_location", "_process", "watched")

    def __init__(self, location: Location, process: ThisProcess) -> None:
        super().__init__("reg", TYPE, EXPIRES, INTERVAL_S, 1.0)
        self._location = location
        self._process = process
        self._ended: dict[str, dict[str, str]] = {}  # AOR -> id -> why
        self.watched = 0

    def may_subscribe(self, subscriber: str, resource: str) -> bool:
        """Only a user himself learns where his phones are (RFC 3680 §4.6, §7)."""
        return subscriber == resource

    def first_watcher(self, resource: str) -> None:
        self.watched += 1
        self._ended[resource] = {}

    def last_watcher_gone(self, resource: str) -> None:
        self.watched -= 1
        del self._ended[resource]

    def ended(self, binding: Binding, why: str) -> None:
        """A contact has ended; `why` is the location service's word."""
        ended = self._ended.get(binding.aor)
        if ended is not None:
            if len(ended) >= MAX_ENDED:
                del ended[next(iter(ended))]
            ended[identity_of(binding)] = EXPIRED if why == EXPIRED else UNREGISTERED

    def document(self, subscription: Subscription, version: int, now: float) -> str | None:
        told = subscription.told
        resource = subscription.resource
        there = {identity_of(b): b for b in self._location.contacts(resource, now)}
        words = {identity: word_of(binding) for identity, binding in there.items()}
        changed = [identity for identity, word in words.items() if told.get(identity) != word]
        gone = [identity for identity in told if identity not in words]
        if not changed and not gone and not subscription.whole:
            return None
        why = self._ended.get(resource, {})
        ends = [
            contact_gone(identity, told[identity].partition(" ")[2], why.get(identity, EXPIRED))
            for identity in gone
        ]
        wall = now + self._process.offset
        elements = {i: contact_there(i, binding, now, wall) for i, binding in there.items()}
        state = ACTIVE if there else TERMINATED if gone else INIT
        text = document(resource, version, True, state, [*elements.values(), *ends])
        if not subscription.whole and len(text) > WHOLE_BYTES:  # RFC 3680 §5.1
            news = [*(elements[identity] for identity in changed), *ends]
            text = document(resource, version, False, state, news)
        subscription.told = words
        return text
