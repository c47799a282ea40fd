"""The Contacts of a 3xx that a rule follows (RFC 3261 §16.7 step 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipengine.services.proxy.targets import Target, as_request_uri, target_at
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.parser import parse

if TYPE_CHECKING:
    from sipengine.services.proxy.proxy import Proxy

MAX_REDIRECTS: Final = 10
"""Contacts of 3xx answers that one call follows; more is a loop between servers."""


def new_targets(
    response: bytes, asked: set[str], followed: int, proxy: Proxy, now: float
) -> tuple[int, list[Target]]:
    """(how many Contacts are followed now, where they lead), without the URIs in `asked`.

    `followed` is how many the call has followed before. §16.5: a target is tried once.
    """
    found: list[Target] = []
    for contact in parse(response).all("Contact"):
        if followed >= MAX_REDIRECTS:
            break
        try:
            uri = parse_address(contact).uri_text
            destinations = proxy.destinations_of_uri(uri, now)
            targets = (
                proxy.targets(destinations, now)
                if destinations
                else [target_at(as_request_uri(uri), uri, proxy.flows, uri)]
            )
        except RemoteProtocolError:
            continue
        followed += 1
        for target in targets:
            if target.uri not in asked:
                asked.add(target.uri)
                found.append(target)
    return followed, found
