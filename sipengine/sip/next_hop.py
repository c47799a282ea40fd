"""What is to be reached, and where it was found (RFC 3263 §4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipengine.sip.uri import SipUri

_NUMERIC: Final = frozenset("0123456789.")


@dataclass(frozen=True, slots=True)
class NextHop:
    """What a URI says of where to send (RFC 3263 §4): TARGET, port (0: none given), transport.

    `transport` is "" where the URI asks for none; `secure` says that it is a SIPS URI.
    """

    host: str
    port: int
    transport: str
    secure: bool

    @property
    def is_numeric(self) -> bool:
        return is_numeric(self.host)

    @property
    def usual_transport(self) -> str:
        """The transport where nothing tells of another (RFC 3263 §4.1): UDP, or TLS for SIPS."""
        return self.transport or ("TLS" if self.secure else "UDP")


@dataclass(frozen=True, slots=True)
class Server:
    """One server: transport, numeric address, port. `name` is what its certificate must say (RFC 5922 §7.3)."""

    transport: str
    host: str
    port: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Located:
    """The servers of a next hop in the order in which to try them, or none and `why` (a clause)."""

    servers: tuple[Server, ...]
    why: str = ""


def next_hop_of(uri: SipUri) -> NextHop:
    """TARGET is the maddr parameter if there is one, else the host (RFC 3263 §4)."""
    asked = uri.transport if uri.parameter("transport") else ""
    host = (uri.parameter("maddr") or uri.host).strip("[]").lower().rstrip(".")
    return NextHop(host, uri.port, asked, uri.scheme == "sips")


def is_numeric(host: str) -> bool:
    """Whether `host` is an IPv4 or IPv6 address and no name."""
    return ":" in host or _NUMERIC.issuperset(host)
