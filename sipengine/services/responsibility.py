"""Which addresses are this server's own (RFC 3261 §16.5: the domains it is responsible for)."""

from __future__ import annotations

from sipengine.api import ConfigSnapshot
from sipengine.sip.uri import SipUri, unescape


class Responsibility:
    """Domains of the configuration, and the addresses listened at, which stand for the default domain."""

    __slots__ = ("_domains", "_fallback", "_hosts", "_ports", "realms")

    def __init__(self, listening: list[tuple[str, str, int]], advertised: tuple[str, int]) -> None:
        self._hosts = frozenset(
            {host.lower() for _, host, _ in listening} | {advertised[0].lower()}
        )
        self._ports = frozenset({port for _, _, port in listening} | {advertised[1], 0})
        self._domains: frozenset[str] = frozenset()
        self._fallback = ""
        self.realms: tuple[str, ...] = ()  # as they stand in our challenges

    def set_config(self, snapshot: ConfigSnapshot) -> None:
        self._domains = frozenset(name.lower() for name in snapshot.domains)
        self._fallback = snapshot.default_domain
        self.realms = tuple(snapshot.domains)

    def domain_of(self, host: str, port: int) -> str:
        """The domain that `host:port` means, "" if it is somebody else's."""
        if host in self._domains:
            return host
        if host in self._hosts and port in self._ports:
            return self._fallback
        return ""

    def is_self(self, uri: SipUri) -> bool:
        """Whether the URI names this server itself, not one of its users."""
        return not uri.user and bool(self.domain_of(uri.host, uri.port))

    def aor_of(self, uri: SipUri) -> str:
        """`user@domain` of a URI at one of our domains, "" for any other."""
        domain = self.domain_of(uri.host, uri.port)
        return f"{unescape(uri.user)}@{domain}" if domain and uri.user else ""
