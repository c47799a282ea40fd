"""The Path of a registration: the proxies between this server and a phone (RFC 3327).

Values are kept as they came and become the Routes of every request to that contact. A phone that
does not name `path` in Supported is registered all the same (RFC 3327 §5.3 leaves that to the
registrar): refusing it with 420 would only keep it from being called. Such a phone is not told the
Path, which it would not understand.
"""

from __future__ import annotations

from typing import Final

from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import RELIABLE

MAX_PATH: Final = 2048
"""Octets of all values together; each is sent again with every request to the phone."""


def check_path(path: tuple[str, ...]) -> None:
    """Raises `RemoteProtocolError` 400 for a Path that no request could be sent by."""
    if sum(map(len, path)) > MAX_PATH or any("\0" in hop for hop in path):
        raise RemoteProtocolError(400, "Bad Request: unusable Path header")
    for hop in path:
        try:
            uri = parse_address(hop).uri
        except RemoteProtocolError:
            raise RemoteProtocolError(400, "Bad Request: broken Path header") from None
        if uri.transport not in RELIABLE and uri.transport != "UDP":
            raise RemoteProtocolError(400, "Bad Request: unusable transport in Path header")
