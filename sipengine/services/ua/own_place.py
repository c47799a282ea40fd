"""The engine's own user agent stands beside its proxy, and takes the proxy's ways to the peers."""

from __future__ import annotations

from sipengine.services.own_addresses import OwnAddresses
from sipengine.services.proxy.forwarding import pop_own_routes
from sipengine.services.proxy.proxy import Proxy
from sipengine.services.proxy.validation import Validation
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message


class OwnPlace:
    """A `Place`."""

    def __init__(self, proxy: Proxy, validation: Validation, addresses: OwnAddresses) -> None:
        self._proxy = proxy
        self._validation = validation
        self._addresses = addresses
        self.host = addresses.default[0]
        self._anywhere = Flow("UDP", addresses.default, addresses.default)

    def flow_for(self, message: Message, heard: Flow | None) -> Flow:
        pop_own_routes(message, self._validation.is_own_route)
        # No moment is told here: a binding that has expired is gone within a second anyway.
        target = self._proxy.in_dialog_target(message, None, heard, True, 0.0)
        if target.uri != message.uri:
            message.set_uri(target.uri)
        if target.flow is not None:
            return target.flow
        if heard is None or not heard.open:  # a name would have to be looked up first
            raise RemoteProtocolError(503, "Service Unavailable: no connection to the peer")
        return heard

    def via(self, flow: Flow, branch: str) -> str:
        rport = "" if flow.reliable else ";rport"
        return f"{flow.via or self._addresses.via(flow)};branch={branch}{rport}"

    def contact(self, flow: Flow | None, user: str) -> str:
        return self._addresses.contact(user, flow or self._anywhere)

    def host_for(self, flow: Flow) -> str:
        return self._addresses.host_for(flow)
