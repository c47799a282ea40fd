"""Which phones are signed out when the configuration changes: they must not ring any more.

A phone that registered with a password that holds no longer may be lost or stolen. It is signed out at
once, and can register again with the new one only.
"""

from __future__ import annotations

from sipengine.api import ConfigSnapshot
from sipengine.services.location import REMOVED, Location
from sipengine.services.this_process import ThisProcess


class SignOuts:
    """Takes bindings out of the location service. One for the life of a process."""

    def __init__(self, location: Location, process: ThisProcess, now: float) -> None:
        self._location = location
        self._process = process
        self._started = now + process.offset
        self._known: dict[str, float] = {}

    def follow(self, snapshot: ConfigSnapshot, now: float) -> None:
        """Sign out the phones of extensions that are gone or switched off, and those with old passwords.

        What a page registered needs none. Which password a binding was made with is told by time:
        of one made by this process, whether it knew the new one; of a restored one, its age.
        """
        location = self._location
        location.end_all_but(snapshot.extensions, now)
        known, self._known = self._known, snapshot.new_passwords
        wall = now + self._process.offset
        for aor, since in snapshot.new_passwords.items():
            news = known.get(aor) != since
            for binding in location.contacts(aor, now):
                at = binding.updated_at
                outdated = news if at >= self._started else at < since
                if outdated and not binding.page:
                    location.remove(binding, REMOVED, wall)
