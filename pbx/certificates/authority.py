"""A certificate authority of this installation alone, and the certificates it gives (RFC 5280).

Whoever trusts it trusts it for this telephone system's names and for private addresses only: its
name constraints (RFC 5280 §4.2.1.10) make it worthless for anything else, should its key be stolen.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LASTS: Final = datetime.timedelta(days=3650)
CERTIFICATE_LASTS: Final = datetime.timedelta(days=397)
"""Less than the 825 days that Apple's systems take from an authority that somebody installed."""

_EARLIER: Final = datetime.timedelta(hours=1)  # a phone's clock may be slow

_PRIVATE: Final = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16",
    "100.64.0.0/10", "fc00::/7", "fe80::/10", "::1/128",
)  # fmt: skip
_HOME_NAMES: Final = ("localhost", "local", "home.arpa")
"""What may be certified in any case: this machine, and names of local networks (RFC 6762, RFC 8375)."""

_NAME_MOST: Final = 64  # characters of a common name, RFC 5280 Appendix A.1


@dataclass(frozen=True, slots=True)
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def permits(self, name: str) -> bool:
        """Whether a certificate for this host name or address would hold."""
        constraints = self.certificate.extensions.get_extension_for_class(x509.NameConstraints)
        permitted = constraints.value.permitted_subtrees or ()
        wanted = general_name(name)
        for each in permitted:
            if isinstance(wanted, x509.IPAddress):
                if isinstance(each, x509.IPAddress) and _lies_in(wanted.value, each.value):
                    return True
            elif isinstance(each, x509.DNSName):
                host, tree = wanted.value.lower(), each.value.lower()
                if host == tree or host.endswith(f".{tree}"):
                    return True
        return False


def make_authority(names: Iterable[str], now: datetime.datetime) -> Authority:
    """An authority for private addresses, local names, and `names` (host names or addresses)."""
    names = list(names)
    key = ec.generate_private_key(ec.SECP256R1())
    title = f"Branchline {names[0]}"[: _NAME_MOST - 11] + f" {now:%Y-%m-%d}"
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Branchline"),
            x509.NameAttribute(NameOID.COMMON_NAME, title),
        ]
    )
    permitted: dict[str, x509.GeneralName] = {
        text: x509.IPAddress(ipaddress.ip_network(text)) for text in _PRIVATE
    }
    permitted |= {name: x509.DNSName(name) for name in _HOME_NAMES}
    permitted |= {name: _tree(name) for name in names}
    certificate = (
        _builder(subject, subject, key, now, AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(_usage(signs_certificates=True), True)
        .add_extension(x509.NameConstraints(list(permitted.values()), None), True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def issue(
    authority: Authority, key: ec.EllipticCurvePrivateKey, names: list[str], now: datetime.datetime
) -> x509.Certificate:
    """A certificate for `names`, for servers and, between SIP domains, for clients (RFC 5922)."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_NAME_MOST])])
    issuer = authority.certificate
    signer = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        _builder(subject, issuer.subject, key, now, CERTIFICATE_LASTS)
        .add_extension(x509.SubjectAlternativeName([general_name(name) for name in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(_usage(signs_certificates=False), True)
        .add_extension(x509.ExtendedKeyUsage(purposes), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), False
        )
        .sign(authority.key, hashes.SHA256())
    )


def general_name(name: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _lies_in(address: object, network: object) -> bool:
    return (
        isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)
        and isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network)
        and address in network
    )


def _tree(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_network(name))  # this one address
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
    lasts: datetime.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
