"""Whom a certificate is for, by SIP's rules (RFC 5922 §7), on what `ssl.getpeercert()` gives.

Deviation: an address in a subjectAltName counts for a URI that names that address. RFC 5922 knows
names only; without it two servers without DNS could not use TLS at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any


def is_for(certificate: Mapping[str, Any] | None, host: str) -> bool:
    """Whether the certificate is that of the SIP domain (or the address) `host` (RFC 5922 §7.3).

    Compared whole and without regard to case: no wildcard, no suffix (RFC 5922 §7.2).
    """
    if not certificate:
        return False
    address = _address(host)
    if address:
        names = certificate.get("subjectAltName", ())
        return any(kind == "IP Address" and _address(value) == address for kind, value in names)
    wanted = host.lower().rstrip(".")
    return bool(wanted) and wanted in identities(certificate)


def identities(certificate: Mapping[str, Any]) -> set[str]:
    """The SIP domains that a certificate names (RFC 5922 §7.1), in lower case.

    `sip:` URIs without a user; if there are none the DNS names; and the common name only of a
    certificate that has no subjectAltName at all.
    """
    names: tuple[tuple[str, str], ...] = certificate.get("subjectAltName", ())
    found = {_domain_of(value) for kind, value in names if kind == "URI"} - {""}
    if not found:
        found = {value.lower().rstrip(".") for kind, value in names if kind == "DNS"}
    if not names:
        for parts in certificate.get("subject", ()):
            found |= {value.lower() for kind, value in parts if kind == "commonName"}
    return {name for name in found if "*" not in name}


def _domain_of(uri: str) -> str:
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "sip" or "@" in rest:
        return ""
    return rest.partition(";")[0].partition("?")[0].partition(":")[0].lower()


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
