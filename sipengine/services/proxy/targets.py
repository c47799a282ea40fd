"""From a routing destination to the places a request is sent to (RFC 3261 §16.5)."""

from __future__ import annotations

from typing import Final

from sipengine.services.location import Location
from sipengine.services.ports import Flows
from sipengine.services.routing import Destination
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import RELIABLE, Flow
from sipengine.sip.uri import parse_uri

MAX_BREADTH: Final = 60
"""Branches at once (the default Max-Breadth of RFC 5393 §5.3.3); more phones than that do not ring."""


class Target:
    """One place: the Request-URI, the flow to send on, Route lines (from Path), and names for the log."""

    __slots__ = ("device", "flow", "name", "routes", "uri")

    def __init__(self, uri: str, flow: Flow, name: str, device: str = "", routes: str = "") -> None:
        self.uri = uri
        self.flow = flow
        self.name = name
        self.device = device
        self.routes = routes


def targets_of(
    destinations: tuple[Destination, ...], location: Location, flows: Flows, now: float
) -> list[Target]:
    """Every reachable contact of the destinations, at most MAX_BREADTH, none twice."""
    found: list[Target] = []
    for destination in destinations:
        if destination.aor:
            for binding in location.contacts(destination.aor, now):
                flow = location.target_flow(binding)
                if flow is None:
                    continue
                routes = ""
                if binding.path:
                    flow = flow_to_uri(parse_address(binding.path[0]).uri_text, flows)
                    routes = "".join(f"Route: {hop}\r\n" for hop in binding.path)
                found.append(
                    Target(binding.contact, flow, destination.aor, binding.user_agent, routes)
                )
        else:
            try:
                found.append(
                    Target(destination.uri, flow_to_uri(destination.uri, flows), destination.uri)
                )
            except RemoteProtocolError:
                continue  # a URI that no transport of ours reaches: as if nobody were there
    if len(found) > 1:
        found = list({(target.uri, target.flow): target for target in found}.values())
    return found[:MAX_BREADTH]


def flow_to_uri(text: str, flows: Flows) -> Flow:
    """The flow to the host and port that a SIP URI names.

    Raises `RemoteProtocolError` for another scheme, or a transport this server does not speak.
    """
    uri = parse_uri(text)
    transport = uri.transport
    if transport not in RELIABLE and transport != "UDP":
        raise RemoteProtocolError(416, "Unsupported URI Scheme")
    return flows.flow_to(transport, uri.parameter("maddr") or uri.host, uri.port)
