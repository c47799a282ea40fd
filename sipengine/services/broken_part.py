"""Which part of a refused request could not be read, so that its sender is told (RFC 3261 §21.4.1)."""

from __future__ import annotations

from typing import Final

from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.message import Message
from sipengine.sip.uri import parse_uri

_WITH_ADDRESSES: Final = (
    "From", "To", "Contact", "Route", "Record-Route", "Path", "Refer-To", "Referred-By",
    "P-Asserted-Identity", "P-Preferred-Identity", "History-Info",
)  # fmt: skip

_UNNAMED: Final = frozenset(
    [
        "Bad Request: broken address",
        "Bad Request: broken URI",
        "Bad Request: broken port in URI",
        "Request-URI Too Long",
        "Unsupported URI Scheme",
    ]
)
"""What the readers of addresses and URIs say, who do not know where theirs is from."""


def named(message: Message, error: RemoteProtocolError) -> RemoteProtocolError:
    """The same refusal with the name of the part that it is about, if that can be found.

    414 and 416 are about the Request-URI alone (§21.4.12, §21.4.14): for any other part it is 400.
    """
    if error.reason not in _UNNAMED:
        return error
    if _refused(message.uri, error, True):
        if error.status != 400:
            return error
        return RemoteProtocolError(400, f"{error.reason} in Request-URI")
    for name in _WITH_ADDRESSES:
        if message.has(name) and any(_refused(value, error, False) for value in message.all(name)):
            what = error.reason if error.status == 400 else "Bad Request: unusable URI"
            return RemoteProtocolError(400, f"{what} in {name} header")
    return error


def _refused(text: str, error: RemoteProtocolError, is_uri: bool) -> bool:
    """Whether reading that fails in just this way."""
    try:
        parse_uri(text if is_uri else parse_address(text).uri_text)
    except RemoteProtocolError as other:
        return other.reason == error.reason
    return False
