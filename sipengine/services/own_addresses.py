"""Under which address each peer is told to reach this server (RFC 3261 §18.1.1, §16.6 steps 4 and 8).

A peer of IPv6 is told an address of IPv6, one of IPv4 one of IPv4, each with the port of its
transport. So a dialog between two that differ gets two Record-Routes (RFC 5658 §3.3).
"""

from __future__ import annotations

from sipengine.sip.flow import Flow
from sipengine.sip.uri import host_port
from sipengine.sip.via import DEFAULT_PORTS


class OwnAddresses:
    """`default` is what is told to whom nothing else fits, and its port that of UDP and TCP.

    `ports` are those of other transports; `other_family` the address told to numeric peers of the
    other family than `default`'s, "" if that is to be told them too; `by_local` what is told to
    those who talk to one certain address of ours.
    """

    def __init__(
        self,
        default: tuple[str, int],
        ports: dict[str, int] | None = None,
        other_family: str = "",
        by_local: dict[str, str] | None = None,
    ) -> None:
        self.default = default
        self._host = default[0]
        self._is_ipv6 = ":" in default[0]
        self._other = other_family
        self._by_local = by_local or {}
        self._ports = {"UDP": default[1], "TCP": default[1]}
        self._ports.update(ports or {})
        self.routes: set[str] = set()
        """Every Record-Route's beginning that `route` has made: what is in it is ours."""

    @property
    def hosts(self) -> set[str]:
        """All of them, in lower case."""
        return {
            host.lower() for host in (self._host, self._other, *self._by_local.values()) if host
        }

    def via(self, flow: Flow) -> str:
        """The beginning of our Via on a flow, kept there as `flow.via`.

        On a TLS connection that we made, `alias` tells the peer that it may send requests back on
        it (RFC 5923 §7.1).
        """
        at = host_port(self._told(flow), self._port(flow.transport))
        alias = ""
        if flow.transport == "TLS" and flow.local[1] != self._port("TLS"):
            alias = ";alias"
        flow.via = f"SIP/2.0/{flow.transport} {at}{alias}"
        return flow.via

    def host_for(self, flow: Flow) -> str:
        """The host that the peer of a flow is told."""
        return self._told(flow)

    def route(self, flow: Flow) -> str:
        """The beginning of our Record-Route towards a flow, kept there as `flow.route`."""
        at = host_port(self._told(flow), self._port(flow.transport))
        transport = "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
        flow.route = f"<sip:{at};lr{transport}"
        self.routes.add(flow.route)
        return flow.route

    def sips_route(self, route: str) -> str:
        """The same beginning for a dialog that is `sips:`, which says its transport (RFC 5630 §5.3)."""
        host = route[len("<sip:") :].partition(";")[0]
        websocket = ";transport=ws" if ";transport=ws" in route else ""
        made = f"<sips:{host};lr{websocket}"
        self.routes.add(made)
        return made

    def contact(self, user: str, flow: Flow) -> str:
        """Our Contact in a dialog with the peer of a flow (RFC 3261 §12.1.1); `user` is escaped."""
        at = host_port(self._told(flow), self._port(flow.transport))
        transport = "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
        return f"<sip:{user}@{at}{transport}>"

    def wrote(self, route: str) -> bool:
        """Whether a Record-Route value is one of ours, as this process wrote it."""
        return route[: route.find(";f=")] in self.routes

    def _told(self, flow: Flow) -> str:
        own = self._by_local.get(flow.local[0])
        if own is not None:
            return own
        if self._other:
            host = flow.remote[0]
            is_ipv6 = ":" in host
            if is_ipv6 != self._is_ipv6 and (is_ipv6 or host[-1:].isdigit()):
                return self._other
        return self._host

    def _port(self, transport: str) -> int:
        return self._ports.get(transport) or DEFAULT_PORTS[transport]
