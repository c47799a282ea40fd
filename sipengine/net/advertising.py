"""What this machine's addresses are, and which of them peers are told."""

from __future__ import annotations

from sipengine.net.addresses import both_families, local_addresses
from sipengine.net.hosts_file import family_of
from sipengine.net.udp_sockets import source_towards
from sipengine.services.own_addresses import OwnAddresses

_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
# Documentation addresses (RFC 5737, RFC 3849): only the routing table is asked.
_FAR = {4: "192.0.2.1", 6: "2001:db8::1"}


def own_addresses(
    binds: tuple[str, ...], advertised: str, given: bool, sip_port: int, ports: dict[str, int]
) -> OwnAddresses:
    """`advertised` is the address to tell by default, `given` whether an operator chose it;
    `ports` are those of transports other than UDP and TCP.

    Without an operator's word, who talks to one certain address of several is told that one.
    """
    hosts = both_families(binds)
    by_local: dict[str, str] = {}
    if not given:
        by_local = {host: host for host in hosts if host not in _WILDCARDS}
    other = ""
    if family_of(advertised):
        wanted = 4 if ":" in advertised else 6
        of_other = [host for host in hosts if (":" in host) == (wanted == 6)]
        if of_other:
            other = of_other[0]
            if other in _WILDCARDS:
                loopback = "127.0.0.1" if wanted == 4 else "::1"
                other = source_towards(_FAR[wanted]) or loopback
    return OwnAddresses((advertised, sip_port), ports, other, by_local)


def answered_hosts(binds: tuple[str, ...], addresses: OwnAddresses) -> list[str]:
    """Every name and address that this server answers for, those it tells first."""
    local = [address for bind in binds for address in local_addresses(bind)]
    return list(dict.fromkeys([addresses.default[0], *sorted(addresses.hosts), *local]))
