"""What the Contacts of one REGISTER ask for (RFC 3261 §10.3 step 7)."""

from __future__ import annotations

from sipengine.services.binding import Binding
from sipengine.services.location import Location
from sipengine.sip.contact import ContactParameters
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.uri import parse_uri, same_uri


class Change:
    """One Contact of the request and what it will do. `seconds` 0 removes."""

    __slots__ = ("binding", "contact", "parameters", "seconds")

    def __init__(
        self, binding: Binding | None, contact: str, parameters: ContactParameters, seconds: int
    ) -> None:
        self.binding = binding
        self.contact = contact
        self.parameters = parameters
        self.seconds = seconds

    def replaces(self, binding: Binding) -> bool:
        """Whether the binding it means is to make way for a new one: they differ in more than parameters."""
        parameters = self.parameters
        return (
            binding.contact != self.contact
            or binding.instance != parameters.instance
            or binding.reg_id != parameters.reg_id
        )

    def new_binding(self, aor: str, wall: float) -> Binding:
        parameters = self.parameters
        return Binding(
            aor, self.contact, parameters.kept, parameters.q, parameters.instance, parameters.reg_id, wall
        )  # fmt: skip

    def tell_parameters(self, binding: Binding) -> bool:
        """Give the binding the parameters asked for; whether it stands in another order for them."""
        reordered = binding.q != self.parameters.q
        binding.params = self.parameters.kept
        binding.q = self.parameters.q
        return reordered


def drop_repeated(changes: dict[str, Change]) -> None:
    """Of Contacts of one phone whose URIs are equal, however they are spelt (§19.1.4), the last counts."""
    later: list[Change] = []
    for key, change in reversed(list(changes.items())):
        if any(_mean_the_same(change, one) for one in later):
            del changes[key]
        else:
            later.append(change)


def _mean_the_same(one: Change, other: Change) -> bool:
    mine, theirs = one.parameters, other.parameters
    if mine.instance != theirs.instance or mine.reg_id != theirs.reg_id:
        return False
    return same_uri(parse_uri(one.contact), parse_uri(other.contact))


def room_for(
    changes: list[Change], current: tuple[Binding, ...], most: int, location: Location
) -> list[Binding]:
    """The bindings that make room where there would be more than `most`: those that nobody can reach
    until their phones come back, the longest lost first. Raises 403 if there are not enough."""
    added = sum(1 for c in changes if c.seconds and c.binding is None)
    named = {id(c.binding): c.seconds for c in changes if c.binding is not None}
    removed = sum(1 for seconds in named.values() if not seconds)
    surplus = len(current) - removed + added - most
    if not added or surplus <= 0:
        return []
    lost = [b for b in current if id(b) not in named and location.target_flow(b) is None]
    if len(lost) < surplus:
        raise RemoteProtocolError(403, f"Forbidden: at most {most} contacts at once")
    return sorted(lost, key=lambda binding: binding.lost_at)[:surplus]
