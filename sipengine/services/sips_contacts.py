"""`sips:` in a REGISTER: what is promised there must hold on every hop (RFC 5630 §5.2).

A `sips:` contact stands for its `sip:` twin, too: whoever calls the user by either scheme reaches it
by TLS. So of the two the later one replaces the earlier one.
"""

from __future__ import annotations

from sipengine.services.proxy.sips import PREFIX, as_sips
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import SECURE, Flow
from sipengine.sip.message import Message
from sipengine.sip.uri import parse_uri, same_uri


def is_sips(uri_text: str) -> bool:
    return uri_text[3:4] in "sS" and uri_text[:5].lower() == PREFIX


def check_sips_request(flow: Flow) -> None:
    """Raises `RemoteProtocolError` 400 for a `sips:` Request-URI that did not come by TLS."""
    if flow.transport not in SECURE:
        raise RemoteProtocolError(400, "Bad Request: a sips: request that did not come by TLS")


def check_sips_contact(message: Message, contact: str, others: list[str]) -> None:
    """A `sips:` contact of a REGISTER with all its Contact values, whose Request-URI was checked.

    Raises `RemoteProtocolError` 400 if Request-URI or Path is not `sips:`, or if its `sip:` twin is
    there, too (RFC 5630 §5.1.1.1).
    """
    if not is_sips(message.uri):
        raise RemoteProtocolError(
            400, "Bad Request: a sips: Contact header needs a sips: Request-URI"
        )
    for hop in message.all("Path"):
        if not is_sips(parse_address(hop).uri_text):
            raise RemoteProtocolError(
                400, "Bad Request: a sips: Contact header needs a sips: Path header"
            )
    for value in others:
        other = parse_address(value).uri_text
        if not is_sips(other) and is_twin(contact, other):
            raise RemoteProtocolError(
                400, "Bad Request: the same Contact header both with sip: and sips:"
            )


def wants_sips(message: Message, flow: Flow) -> bool:
    """Whether our Contact in the dialog that a request begins must be `sips:` (RFC 3261 §12.1.1)."""
    if flow.transport not in SECURE:
        return False
    hops = message.all("Record-Route") or message.all("Contact")
    return is_sips(message.uri) or (bool(hops) and is_sips(parse_address(hops[0]).uri_text))


def secure_contact(contact: str) -> str:
    """Our Contact `<sip:..>` towards a peer reached by TLS, as it stands in a `sips:` dialog."""
    return f"<{as_sips(contact[1:-1])}>"


def is_twin(one: str, other: str) -> bool:
    """Whether two contacts differ in nothing but the scheme."""
    if is_sips(one) == is_sips(other):
        return False
    return same_uri(parse_uri(as_sips(one)), parse_uri(as_sips(other)))
