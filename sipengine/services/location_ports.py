"""Who is told by the location service, as Protocols."""

from __future__ import annotations

from typing import Protocol

from sipengine.api import BindingGone
from sipengine.services.binding import Binding


class Waiter(Protocol):
    """Somebody who waits for a phone of an AOR to come back."""

    def on_phone(self, binding: Binding, now: float) -> None: ...


class Keeper(Protocol):
    """Somebody who sees to it that phones behind NAT stay reachable over UDP."""

    def enrol(self, binding: Binding, now: float) -> None: ...


class Callers(Protocol):
    """Whoever has requests on their way to phones."""

    def on_arrival(self, binding: Binding, old_contact: str, now: float) -> None:
        """A phone is there that is waited for, or that left a flow with requests on their way;
        `old_contact` is the one it had there."""
        ...


class ContactListener(Protocol):
    """Whoever must hear when the contacts of an AOR become more or fewer, or stand in another order."""

    def contacts_changed(self, aor: str, wall: float) -> None: ...

    def contact_ended(self, binding: Binding, why: str, wall: float) -> None: ...


class Follower(Protocol):
    """Whoever keeps a copy of the bindings."""

    def binding_there(self, binding: Binding, earlier: str, now: float) -> None:
        """It is there or has changed. `earlier` is the contact its phone had before, if it has just
        registered anew or from another place."""
        ...

    def binding_gone(self, gone: BindingGone) -> None: ...
