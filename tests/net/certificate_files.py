"""Certificates for tests: an authority of our own and what it signs."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sipengine.net.certificates import CertificateFiles

Key = ec.EllipticCurvePrivateKey


class Authority:
    """Signs certificates into `directory`; `file` is its own, to be trusted."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name("tests' authority")
        self.file = directory / "authority.pem"
        certificate = _builder(self.name, self.name, self.key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), True
        )
        self.file.write_bytes(_pem(certificate.sign(self.key, hashes.SHA256())))

    def files(self, *names: str, stem: str = "server", common_name: str = "x") -> CertificateFiles:
        """A certificate for `names`: `sip:…` URIs, addresses, or DNS names; none: no subjectAltName."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name), self.name, key)
        if names:
            kinds = [_general(name) for name in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(kinds), False)
        certificate, key_file = self.directory / f"{stem}.pem", self.directory / f"{stem}.key"
        certificate.write_bytes(_pem(builder.sign(self.key, hashes.SHA256())))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return CertificateFiles(str(certificate), str(key_file), str(self.file))

    def client(self) -> ssl.SSLContext:
        """What a phone that trusts the authority uses; names are the tests' business."""
        context = ssl.create_default_context(cafile=str(self.file))
        context.check_hostname = False
        return context

    def server(self, *names: str) -> ssl.SSLContext:
        """Another SIP server with a certificate for `names`; it asks its clients for theirs."""
        files = self.files(*names, stem="other")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        context.load_verify_locations(files.authorities)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
    )


def _general(name: str) -> x509.GeneralName:
    if ":" in name and not name[0].isdigit() and not name.startswith(":"):
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
