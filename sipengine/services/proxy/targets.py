"""From a routing destination to the places a request is sent to (RFC 3261 §16.5)."""

from __future__ import annotations

from typing import Final

from sipengine.services.binding import Binding
from sipengine.services.gruu import same_instance
from sipengine.services.location import Location
from sipengine.services.ports import REACHABLE, Flows
from sipengine.services.proxy.sips import as_sip, as_sips, is_secure
from sipengine.services.routing import Destination
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import RELIABLE, Flow
from sipengine.sip.next_hop import NextHop, next_hop_of
from sipengine.sip.uri import SipUri, parse_uri

MAX_BREADTH: Final = 60
"""Branches at once (the default Max-Breadth of RFC 5393 §5.3.3); more phones than that do not ring."""


class Target:
    """One place: the Request-URI, the flow to send on, Route lines (from Path), and names for the log.

    Where the next hop is a host name, `flow` is None and `hop` tells whose servers to find.
    `plain` is the target to take instead if that host turns out to be this server. `others` are the
    further flows of the same phone, to be tried one after the other when this one fails (RFC 5626 §7).
    `breadth` is how many branches may come of it (RFC 5393 §5.3.3), 0 if nothing is said of it.
    """

    __slots__ = ("breadth", "device", "flow", "hop", "name", "others", "plain", "routes", "uri")

    def __init__(
        self, uri: str, flow: Flow | None, name: str, device: str = "", routes: str = "",
        hop: NextHop | None = None,
    ) -> None:  # fmt: skip
        self.uri = uri
        self.flow = flow
        self.hop = hop
        self.plain: Target | None = None
        self.name = name
        self.device = device
        self.routes = routes
        self.others: tuple[Target, ...] = ()
        self.breadth = 0

    def next_flow(self) -> Target:
        """The next of `others`, with those after it as its own."""
        following = self.others[0]
        following.others = self.others[1:]
        following.breadth = self.breadth
        self.others = ()
        return following


def targets_of(
    destinations: tuple[Destination, ...], location: Location, flows: Flows, now: float
) -> list[Target]:
    """Every reachable contact of the destinations, at most MAX_BREADTH, none twice."""
    found: list[Target] = []
    for destination in destinations:
        if destination.aor:
            of_instance: dict[str, Target] = {}
            bindings = location.contacts(destination.aor, now)
            several = len(bindings) > 1
            for binding in bindings:
                target = target_of(binding, location, flows)
                if target is None or not _suits(target, destination.secure):
                    continue
                if destination.instance and not same_instance(
                    binding.instance, destination.instance
                ):
                    continue
                if several and binding.instance:  # one flow of a phone at a time (RFC 5626 §7)
                    first = of_instance.setdefault(binding.instance, target)
                    if first is not target:
                        first.others = (*first.others, target)
                        continue
                found.append(target)
        else:
            try:
                uri = destination.uri
                outside = target_at(uri, uri, flows, uri)
                if not destination.secure or is_secure(outside):
                    found.append(outside)
            except RemoteProtocolError:
                continue  # a URI that no transport of ours reaches: as if nobody were there
    if len(found) > 1:
        found = list({(target.uri, target.flow, target.hop): target for target in found}.values())
    return found[:MAX_BREADTH]


def _suits(target: Target, secure: bool) -> bool:
    """Whether a request may go there; names the contact by the request's own scheme (RFC 5630 §5.3)."""
    uri = target.uri
    if secure:
        target.uri = as_sips(uri)
        return is_secure(target)
    if uri[:5] == "sips:":
        target.uri = as_sip(uri)
    return True


def target_at(
    uri: str, next_hop: str, flows: Flows, name: str, device: str = "", routes: str = ""
) -> Target:
    """A request to `uri` by way of the URI `next_hop`.

    Raises `RemoteProtocolError` for another scheme, or a transport this server does not speak.
    """
    hop = next_hop_of(check_reachable(next_hop))
    if hop.is_numeric or hop.usual_transport not in REACHABLE:
        flow = flows.flow_to(hop.usual_transport, hop.host, hop.port)
        return Target(uri, flow, name, device, routes)
    return Target(uri, None, name, device, routes, hop)


def way_to(target: Target, flows: Flows) -> Flow:
    """The flow for a request of our own: where the next hop is a host name, to its address alone."""
    hop = target.hop
    if target.flow is not None or hop is None:
        assert target.flow is not None
        return target.flow
    return flows.flow_to(hop.usual_transport, hop.host, hop.port)


def target_of(binding: Binding, location: Location, flows: Flows) -> Target | None:
    """The way to one contact, None if there is none until its phone comes back."""
    path, contact = binding.path, binding.contact
    if "?" in contact or ";method=" in contact:
        contact = as_request_uri(contact)
    if not path:
        flow = location.target_flow(binding)
        if flow is None:
            return None
        return Target(contact, flow, binding.aor, binding.user_agent)
    routes = "".join(f"Route: {hop}\r\n" for hop in path)  # RFC 3327 §5.4
    first = parse_address(path[0]).uri_text
    return target_at(contact, first, flows, binding.aor, binding.user_agent, routes)


def as_request_uri(uri_text: str) -> str:
    """A URI as a Request-URI, in which neither headers nor `method` may stand (§19.1.1). What they say
    is not heeded: a contact may not write into the requests that are sent to it (§19.1.5)."""
    headers = parse_uri(uri_text).headers
    text = uri_text[: -len(headers) - 1] if headers else uri_text.removesuffix("?")
    at = text.find(";method=", text.rfind("@") + 1)
    if at < 0:
        return text
    end = text.find(";", at + 1)
    return text[:at] + (text[end:] if end >= 0 else "")


def flow_to_uri(text: str, flows: Flows) -> Flow:
    """The flow to the host and port that a SIP URI names.

    Raises `RemoteProtocolError` for another scheme, or a transport this server does not speak.
    """
    uri = check_reachable(text)
    return flows.flow_to(uri.transport, uri.parameter("maddr") or uri.host, uri.port)


def check_reachable(text: str) -> SipUri:
    """The URI, if it names a transport that we speak. Raises `RemoteProtocolError` otherwise."""
    uri = parse_uri(text)
    transport = uri.transport
    if transport not in RELIABLE and transport != "UDP":
        raise RemoteProtocolError(416, "Unsupported URI Scheme")
    return uri
