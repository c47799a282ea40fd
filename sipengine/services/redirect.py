"""The redirect server (RFC 3261 §8.3): Contact lines of a 302, so that the caller goes there itself."""

from __future__ import annotations

from sipengine.services.location import Location
from sipengine.services.routing import Destination


def contacts_of(uris: tuple[str, ...]) -> list[str]:
    """Contact lines for the targets of a rule, the first the best (q falls by a tenth each, §20.10)."""
    if len(uris) == 1:
        return [f"Contact: <{uris[0]}>"]
    return [f"Contact: <{uri}>;q={max(0.1, 1.0 - at / 10):.1f}" for at, uri in enumerate(uris)]


def registered_contacts(
    destinations: tuple[Destination, ...], location: Location, now: float
) -> list[str]:
    """Contact lines of everything registered for the destinations, with the q of the registration."""
    lines = []
    for destination in destinations:
        if destination.uri:
            lines.append(f"Contact: <{destination.uri}>")
            continue
        for binding in location.contacts(destination.aor, now):
            lines.append(f"Contact: <{binding.contact}>;q={binding.q:g}")
    return lines
