"""Client-initiated connections as the registrar sees them (RFC 5626 §6): who may use `reg-id`.

A flow is usable only if the hop next to the phone keeps it: this server itself, where the phone
registers directly, or an edge proxy that has marked its Path with `ob`.
"""

from __future__ import annotations

from typing import Final

from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message

FLOW_TIMER: Final = 120
"""Seconds within which a phone on a connection sends a keep-alive (RFC 5626 §5.4, Flow-Timer). A
phone that has gone is found in as long by TCP itself (net/tcp.py). Over UDP none is named: a phone
chooses 24 to 29 s then (RFC 5626 §4.4.2), which is what NATs want."""


def first_hop_keeps_flows(message: Message) -> bool:
    """Whether a REGISTER with `reg-id` may make a flow (RFC 5626 §6); if not, that means nothing.

    Raises `RemoteProtocolError` 439 for a phone that supports Outbound behind a hop that does not,
    so that it can try another hop.
    """
    if message.has_one_via:
        return True
    path = message.all("Path")
    if path and parse_address(path[0]).uri.parameter("ob") is not None:
        return True
    if "outbound" in options(message, "Supported"):
        raise RemoteProtocolError(439, "First Hop Lacks Outbound Support")
    return False


def outbound_lines(message: Message, flow: Flow) -> list[str]:
    """What a 200 says to a phone whose REGISTER has made a flow."""
    if "outbound" not in options(message, "Supported"):
        return []
    if flow.reliable and not message.has("Path"):
        return ["Require: outbound", f"Flow-Timer: {FLOW_TIMER}"]
    return ["Require: outbound"]


def options(message: Message, name: str) -> list[str]:
    """The option tags in a header, in lower case."""
    return [tag.lower() for tag in message.all(name)]
