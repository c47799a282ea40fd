"""SIP and SIPS URIs (RFC 3261 §19.1, RFC 5954 for IPv6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

from sipengine.sip.errors import RemoteProtocolError

MAX_URI: Final = 2048
"""Longer Request-URIs are answered 414: nothing real comes near it."""

_SIP_URI: Final = re.compile(
    r"(?P<scheme>[sS][iI][pP][sS]?):"
    r"(?:(?P<user>[^@:<>\s\"]+)(?::(?P<password>[^@<>\s\"]*))?@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<parameters>(?:;[^;?<>\s\"]*)*)"
    r"(?:\?(?P<headers>[^<>\s\"]*))?"
)
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()&=+$,;?/"
)


@dataclass(frozen=True, slots=True)
class SipUri:
    """A parsed SIP URI. `host` is lower case, IPv6 without brackets; `port` 0 means none was given.

    `parameters` are (name in lower case, value or "") in the order they came.
    """

    scheme: str
    user: str
    password: str
    host: str
    port: int
    parameters: tuple[tuple[str, str], ...] = ()
    headers: str = ""

    def parameter(self, name: str) -> str | None:
        """The value of a URI parameter, "" for one without value, None for one that is not there."""
        for key, value in self.parameters:
            if key == name:
                return value
        return None

    @property
    def transport(self) -> str:
        """TCP, UDP, TLS, WS, WSS in capitals: what the URI asks for (§19.1.1), UDP if nothing."""
        asked = (self.parameter("transport") or "").upper()
        if self.scheme == "sips":
            return "WSS" if asked in ("WS", "WSS") else "TLS"
        return asked or "UDP"

    @property
    def hostport(self) -> str:
        return host_port(self.host, self.port)

    @property
    def aor(self) -> str:
        """`user@host` with escapes undone: the key of the location service (§10.3 step 5)."""
        return f"{unescape(self.user)}@{self.host}"

    def __str__(self) -> str:
        out = [self.scheme, ":"]
        if self.user:
            out.append(self.user)
            if self.password:
                out.append(":" + self.password)
            out.append("@")
        out.append(self.hostport)
        for name, value in self.parameters:
            out.append(f";{name}={value}" if value else f";{name}")
        if self.headers:
            out.append("?" + self.headers)
        return "".join(out)


def host_port(host: str, port: int) -> str:
    """`host:port` as it stands in a URI or a Via; IPv6 gets its brackets, port 0 is left out."""
    if ":" in host:
        host = f"[{host}]"
    return f"{host}:{port}" if port else host


def split_address(text: str) -> tuple[str, int]:
    """`host:port`, as `host_port` writes it of an address, apart again; IPv6 loses its brackets."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else 0


@lru_cache(maxsize=16384)
def parse_uri(text: str) -> SipUri:
    """The SIP URI that `text` is. Same text, same object: URIs repeat in every message of a call.

    Raises `RemoteProtocolError`: 416 for another scheme, 414 if too long, else 400.
    """
    if len(text) > MAX_URI:
        raise RemoteProtocolError(414, "Request-URI Too Long")
    match = _SIP_URI.fullmatch(text)
    if match is None:
        scheme = _SCHEME.match(text)
        if scheme is not None and scheme[1].lower() not in ("sip", "sips"):
            raise RemoteProtocolError(416, "Unsupported URI Scheme")
        raise RemoteProtocolError(400, "Bad Request: broken URI")
    port = int(match["port"] or 0)
    if port > 65535:
        raise RemoteProtocolError(400, "Bad Request: broken port in URI")
    parameters = []
    for item in match["parameters"].split(";")[1:]:
        name, _, value = item.partition("=")
        if name:
            parameters.append((name.lower(), value))
    return SipUri(
        match["scheme"].lower(),
        match["user"] or "",
        match["password"] or "",
        match["host"].lower().strip("[]"),
        port,
        tuple(parameters),
        match["headers"] or "",
    )


def unescape(text: str) -> str:
    """`text` with %HH undone (§19.1.2)."""
    if "%" not in text:
        return text
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)), text)


def escape_user(text: str) -> str:
    """`text` as the user part of a URI: what may not stand there becomes %HH."""
    if _UNRESERVED.issuperset(text):
        return text
    return "".join(
        c if c in _UNRESERVED else "".join(f"%{b:02X}" for b in c.encode("utf-8")) for c in text
    )


def same_uri(one: SipUri, other: SipUri) -> bool:
    """Whether two URIs are equal by the rules of §19.1.4 and, for IPv6, RFC 5954 §4.2."""
    if (one.scheme, unescape(one.user), unescape(one.password), one.port) != (
        other.scheme,
        unescape(other.user),
        unescape(other.password),
        other.port,
    ):
        return False
    if one.host != other.host and not _same_address(one.host, other.host):
        return False
    in_order = one.headers == other.headers
    if not in_order and sorted(one.headers.split("&")) != sorted(other.headers.split("&")):
        return False
    if one.parameters == other.parameters:
        return True
    mine = {k: v.lower() for k, v in one.parameters}
    theirs = {k: v.lower() for k, v in other.parameters}
    for name in mine.keys() & theirs.keys():
        if mine[name] != theirs[name]:
            return False
    must_match = {"user", "ttl", "method", "maddr", "transport"}
    return not (mine.keys() ^ theirs.keys()) & must_match


def _same_address(one: str, other: str) -> bool:
    """Whether two hosts are the same IPv6 address, spelt in different ways."""
    if ":" not in one or ":" not in other:
        return False
    try:
        return IPv6Address(one) == IPv6Address(other)
    except ValueError:
        return False
