"""Phones that come back while somebody calls them: they moved, restarted or lost their connection.

A phone behind NAT whose connection has broken cannot be reached until it registers again, which
phones that notice it do at once. So a call that finds nothing but such phones waits a little
before it gives up, and rings the one that comes (the caller hears nothing of it but his 100).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.binding import Binding
from sipengine.services.location import Location
from sipengine.services.proxy.branch import Branch
from sipengine.services.proxy.sips import is_secure
from sipengine.services.proxy.targets import target_of
from sipengine.services.routing import Destination
from sipengine.sip.flow import RELIABLE, Flow
from sipengine.sip.transaction.invite_client import InviteClient

if TYPE_CHECKING:
    from sipengine.services.proxy.invite_context import InviteContext
    from sipengine.services.proxy.proxy import Proxy

PATIENCE: Final = 6.0
"""Seconds that a call waits for a phone: one that saw its connection close is back in two or three,
and a caller who hears nothing at all hangs up after some ten."""

LOST_LATELY: Final = 60.0
"""A phone whose connection broke longer ago has not noticed, or is switched off: nobody waits."""

AFTER_ITS_ANSWER: Final = 0.2
"""Seconds from a REGISTER until the phone is rung: it should know first that it is registered, and
that answer waits for the disk."""

MAX_WAITING: Final = 1000
"""Calls that wait at once, so that a storm after an outage costs no memory; others give up at once."""


def _lately_lost(
    destinations: tuple[Destination, ...], location: Location, now: float
) -> list[str]:
    """The AORs among `destinations` with a phone that is likely to come back soon."""
    if len(location.waiting) >= MAX_WAITING:
        return []
    found = []
    for destination in destinations:
        if destination.aor and not destination.secure:
            for binding in location.contacts(destination.aor, now):
                lost = binding.transport in RELIABLE and binding.flow is None and not binding.path
                if lost and now - binding.lost_at < LOST_LATELY:
                    found.append(destination.aor)
                    break
    return found


class Waiting:
    """One call that waits for phones of some AORs to register again."""

    __slots__ = ("_aors", "_context", "_location", "due")

    def __init__(
        self, context: InviteContext, location: Location, aors: list[str], now: float
    ) -> None:
        self._context = context
        self._location = location
        self._aors = aors
        self.due = 0.0
        for aor in aors:
            location.waiting.setdefault(aor, []).append(self)
        context.proxy.layer.timers.start(PATIENCE, now, self)

    def stop(self) -> None:
        self.due = 0.0
        for aor in self._aors:
            others = self._location.waiting.get(aor)
            if others is not None and self in others:
                others.remove(self)
                if not others:
                    del self._location.waiting[aor]

    def on_phone(self, binding: Binding, now: float) -> None:
        self.stop()
        self._context.waited(binding, now)

    def on_timer(self, now: float) -> None:
        self.stop()
        self._context.waited(None, now)


def wait_for(
    context: InviteContext, destinations: tuple[Destination, ...], location: Location, now: float
) -> Waiting | None:
    """Let a call wait for phones of its destinations that are likely to come back; None if none are."""
    aors = _lately_lost(destinations, location, now)
    return Waiting(context, location, aors, now) if aors else None


class Arrival:
    """A phone that has just registered and is being called: a moment later it is rung."""

    __slots__ = ("_binding", "_old_contact", "_proxy", "due")

    def __init__(self, proxy: Proxy, binding: Binding, old_contact: str, now: float) -> None:
        self._proxy = proxy
        self._binding = binding
        self._old_contact = old_contact
        self.due = 0.0
        proxy.layer.timers.start(AFTER_ITS_ANSWER, now, self)

    def on_timer(self, now: float) -> None:
        binding = self._binding
        if binding.gone:
            return
        for waiter in self._proxy.location.waiting.pop(binding.aor, ()):
            waiter.on_phone(binding, now)
        former = binding.former
        if former is None:
            return
        for client in list(former.clients):
            if isinstance(client, InviteClient):
                branch = client.user
                if isinstance(branch, Branch) and branch.target.uri == self._old_contact:
                    self._follow(branch, former, now)

    def _follow(self, branch: Branch, former: Flow, now: float) -> None:
        """Send a call after the phone that has had no answer from where it was before."""
        target = target_of(self._binding, self._proxy.location, self._proxy.flows)
        if target is None or (branch.target.uri[:5] == "sips:" and not is_secure(target)):
            return
        if branch.unheard and target.flow is not former:
            branch.follow(target, now)
