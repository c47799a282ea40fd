"""Which phones are signed out when the configuration changes: they must not ring any more.

A phone that registered with a password that holds no longer may be lost or stolen. It is signed out at
once, and can register again with the new one only. What it has subscribed to it hears no more either.
"""

from __future__ import annotations

from typing import Protocol

from sipengine.api import ConfigSnapshot
from sipengine.services.events.subscription import Subscription
from sipengine.services.location import REMOVED, Location
from sipengine.services.this_process import ThisProcess


class Subscriptions(Protocol):
    """What the notifier does."""

    def of_user(self, aor: str) -> list[Subscription]:
        """Those that this user has made."""
        ...

    def sign_out(self, subscription: Subscription, now: float) -> None:
        """End it, so that it can only be made anew."""
        ...


class SignOuts:
    """Takes bindings out of the location service, and ends subscriptions. One for the life of a process."""

    def __init__(
        self, location: Location, subscriptions: Subscriptions, process: ThisProcess, now: float
    ) -> None:
        self._location = location
        self._subscriptions = subscriptions
        self._process = process
        self._started = now + process.offset
        self._known: dict[str, float] = {}

    def follow(self, snapshot: ConfigSnapshot, now: float) -> None:
        """Sign out the phones of extensions that are gone or switched off, and those with old passwords.

        What a page registered needs none. Which password a binding or subscription was made with is
        told by time: of one made by this process, whether it knew the new one; of a restored one, its age.
        """
        location = self._location
        location.end_all_but(snapshot.extensions, now)
        known, self._known = self._known, snapshot.new_passwords
        wall = now + self._process.offset
        for aor, since in snapshot.new_passwords.items():
            news = known.get(aor) != since
            for binding in location.contacts(aor, now):
                if self._is_old(binding.updated_at, since, news) and not binding.page:
                    location.remove(binding, REMOVED, wall)
            for subscription in self._subscriptions.of_user(aor):
                if self._is_old(subscription.updated_at, since, news):
                    self._subscriptions.sign_out(subscription, now)

    def _is_old(self, made_at: float, since: float, news: bool) -> bool:
        return news if made_at >= self._started else made_at < since
