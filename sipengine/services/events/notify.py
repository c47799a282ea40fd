"""The NOTIFY request of a subscription, as bytes (RFC 6665 §4.2.2, RFC 3261 §12.2.1.1)."""

from __future__ import annotations

from sipengine.services.events.subscription import Subscription
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.header_line import header_line


def next_hop(subscription: Subscription) -> tuple[str, list[str]]:
    """(Request-URI, Routes): a first Route that is a strict router takes the Request-URI (§12.2.1.1)."""
    routes = list(subscription.routes)
    if not routes:
        return subscription.target, routes
    try:
        first = parse_address(routes[0])
        strict = first.uri.parameter("lr") is None
    except RemoteProtocolError:
        return subscription.target, routes
    if strict:
        return first.uri_text, [*routes[1:], f"<{subscription.target}>"]
    return subscription.target, routes


def notify(
    subscription: Subscription,
    branch: bytes,
    via: str,
    contact: str,
    flow: Flow,
    state: str,
    document: str,
) -> bytes:
    """`via` is the beginning of our Via, `state` the value of Subscription-State; an empty `document` means none."""
    uri, routes = next_hop(subscription)
    body = document.encode("utf-8", "replace")
    package = subscription.package
    event = package.name
    if subscription.event_id:
        event += f";id={subscription.event_id}"
    lines = [
        f"NOTIFY {uri} SIP/2.0",
        f"Via: {via};branch={branch.decode()}" + ("" if flow.reliable else ";rport"),
        *(f"Route: {route}" for route in routes),
        "Max-Forwards: 70",
        f"From: {subscription.local};tag={subscription.id}",
        f"To: {subscription.remote}",
        f"Call-ID: {subscription.call_id}",
        f"CSeq: {subscription.cseq} NOTIFY",
        f"Contact: {contact}",
        f"Event: {event}",
        f"Subscription-State: {state}",
    ]
    if body:
        lines.append(f"Content-Type: {subscription.kind or package.content_type}")
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    return "\r\n".join(lines).encode("latin-1", "replace") + body


def retry_after_of(response: bytes) -> int:
    """The seconds that a Retry-After of a raw response asks for (RFC 3261 §20.33), 0 if none."""
    line = header_line(response, b"Retry-After", b"retry-after")
    digits = (line or b"").partition(b":")[2].strip()
    number = digits.split(b";")[0].split(b"(")[0].strip()
    return int(number) if number.isdigit() and len(number) < 7 else 0
