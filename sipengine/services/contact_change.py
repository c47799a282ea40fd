"""What the Contacts of one REGISTER ask for (RFC 3261 §10.3 step 7)."""

from __future__ import annotations

from sipengine.services.binding import Binding
from sipengine.sip.contact import ContactParameters
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
