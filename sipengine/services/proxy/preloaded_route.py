"""Routes that a caller put into a new request for servers beyond this one (RFC 3261 §16.4 to §16.6).

Only our own users get that far: whoever is a stranger was challenged before. Our own Routes are
off already. One that names this server by a name we do not know ourselves by (many a phone's
outbound proxy) shows when its servers are found: then it is left out.
"""

from __future__ import annotations

from sipengine.services.ports import Flows
from sipengine.services.proxy.targets import Target, check_reachable, target_at
from sipengine.sip.address import parse_address
from sipengine.sip.message import Message


class PreloadedRoute:
    """The Route values of one request, the next hop first."""

    __slots__ = ("_flows", "_routes")

    def __init__(self, routes: list[str], flows: Flows) -> None:
        self._routes = routes
        self._flows = flows

    def by_way_of(self, target: Target) -> Target:
        """The same target, its request sent along the Routes (§16.6 steps 6 and 7)."""
        if not self._routes:
            return target
        first = parse_address(self._routes[0])
        if target.routes or first.uri.parameter("lr") is not None:
            uri, routes = target.uri, self._routes
        else:  # a strict router: it finds in the last Route where the request goes
            uri, routes = first.uri_text, [*self._routes[1:], f"<{target.uri}>"]
        lines = target.routes + "".join(f"Route: {route}\r\n" for route in routes)
        if target.routes:  # a Path of the called phone comes before
            flow, hop = target.flow, target.hop
            routed = Target(uri, flow, target.name, target.device, lines, hop)
            routed.breadth = target.breadth
            return routed
        routed = target_at(uri, first.uri_text, self._flows, target.name, target.device, lines)
        routed.breadth = target.breadth
        routed.plain = PreloadedRoute(self._routes[1:], self._flows).by_way_of(target)
        return routed


def check_routes(message: Message) -> None:
    """Raises `RemoteProtocolError` for a Route that is no SIP URI or has a transport we do not speak."""
    for route in message.all("Route"):
        check_reachable(parse_address(route).uri_text)


def take_preloaded(message: Message, flows: Flows) -> PreloadedRoute | None:
    """Take the Routes, checked before, out of a request that is about to be copied; None if it has none."""
    routes = message.all("Route")
    if not routes:
        return None
    message.replace("Route", [])
    return PreloadedRoute(routes, flows)
