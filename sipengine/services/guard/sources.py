"""Addresses that messages come from: which count as one, and what each has done lately."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

MAX_SOURCES: Final = 32_768
"""Addresses in each of two generations; with some 400 bytes each 26 MB at most, however many are forged."""

BURST: Final = 500.0
"""Fruitless messages an address may send at once: an office of 500 phones after a power cut. Each
that turns out to have the right password gives its share back."""

RATE: Final = 50.0
"""Fruitless messages a second that are answered for ever."""

WINDOW: Final = 300.0
"""Seconds over which failures are counted."""

NAMED_ACCOUNTS: Final = 8
"""Accounts of which the reason of a ban tells the names."""

MAX_ACCOUNTS: Final = 64
"""Different accounts counted for one address; more than that tells nothing more."""


@lru_cache(maxsize=8192)
def _network_of(host: str) -> str:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address) >> 64 << 64, 64)))


def source_of(host: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 of an IPv6 address.

    A /64 is one link: whoever is on it chooses among 2^64 addresses as he likes (RFC 4291 §2.5.1).
    """
    return host if ":" not in host else _network_of(host)


class Allowed:
    """The networks whose addresses are never limited or banned; this machine's own two always.

    `servers` are sources, too: the other servers that the configuration trusts.
    """

    def __init__(self, networks: tuple[IPv4Network | IPv6Network, ...]) -> None:
        self._networks = networks
        self.servers: frozenset[str] = frozenset()

    def covers(self, source: str) -> bool:
        if source in ("127.0.0.1", "::/64") or source in self.servers:
            return True
        try:
            network = ip_network(source)
        except ValueError:
            return False
        if isinstance(network, IPv4Network):
            return any(isinstance(n, IPv4Network) and network.subnet_of(n) for n in self._networks)
        # An allowed single IPv6 address speaks for its /64, which is what is counted.
        return any(isinstance(n, IPv6Network) and network.overlaps(n) for n in self._networks)


class Source:
    """One source. `tokens` at moment `at`; the counts since `since`; all times monotonic.

    `proven_until`: somebody there received what we sent (he echoed a nonce), so that the address
    was not forged.
    """

    __slots__ = (
        "accounts", "at", "broken", "exempt", "floods", "name", "proven_until", "scans", "since",
        "tokens", "wrong",
    )  # fmt: skip

    def __init__(self, name: str, exempt: bool, now: float) -> None:
        self.name = name
        self.exempt = exempt
        self.tokens = BURST
        self.at = now
        self.proven_until = 0.0
        self.accounts: dict[str, int] = {}
        self.forget(now)

    def forget(self, now: float) -> None:
        """Begin to count anew."""
        self.since = now
        self.wrong = self.scans = self.broken = self.floods = 0
        self.accounts.clear()

    def take(self, cost: float, now: float) -> bool:
        """Take so many tokens; False if there are not enough."""
        tokens = min(BURST, self.tokens + (now - self.at) * RATE) - cost
        self.at = now
        if tokens < 0.0:
            self.tokens = tokens + cost
            return False
        self.tokens = tokens
        return True

    def give_back(self, tokens: float) -> None:
        self.tokens = min(BURST, self.tokens + tokens)

    def note_account(self, account: str) -> None:
        if account in self.accounts or len(self.accounts) < MAX_ACCOUNTS:
            self.accounts[account] = self.accounts.get(account, 0) + 1


class Sources:
    """All sources heard of lately, in two generations: nothing is searched, and memory is bounded.

    When the younger generation is full the elder is forgotten; who is heard of again moves over.
    """

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._young: dict[str, Source] = {}
        self._elder: dict[str, Source] = {}

    def of(self, name: str, now: float) -> Source:
        source = self._young.get(name)
        if source is None:
            source = self._elder.pop(name, None) or Source(name, self._allowed.covers(name), now)
            if len(self._young) >= MAX_SOURCES:
                self._elder = self._young
                self._young = {}
            self._young[name] = source
        if now - source.since > WINDOW:
            source.forget(now)
        return source

    def clear(self) -> None:
        """Forget all."""
        self._young.clear()
        self._elder.clear()

    def known(self, name: str) -> Source | None:
        return self._young.get(name) or self._elder.get(name)

    def __len__(self) -> int:
        return len(self._young) + len(self._elder)
