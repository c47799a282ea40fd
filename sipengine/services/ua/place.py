"""Where a user agent stands in the network, as a Protocol: beside the proxy, or in a test phone."""

from __future__ import annotations

from typing import Protocol

from sipengine.sip.flow import Flow
from sipengine.sip.message import Message


class Place(Protocol):
    @property
    def host(self) -> str:
        """The address that our session descriptions are signed with (their o= line)."""
        ...

    def flow_for(self, message: Message, heard: Flow | None) -> Flow:
        """The flow that a request takes to its Route or Request-URI.

        `heard` is the flow on which the peer was last heard. Routes that are our own are taken
        out of `message`. Raises `RemoteProtocolError` if there is no way.
        """
        ...

    def via(self, flow: Flow, branch: str) -> str:
        """The Via value for a request on `flow`."""
        ...

    def contact(self, flow: Flow | None, user: str) -> str:
        """Our Contact value, `<sip:user@..>`, for a peer reached by `flow`."""
        ...

    def host_for(self, flow: Flow) -> str:
        """The address of ours that the peer of `flow` can send to."""
        ...
