"""The authority and the certificate as files, made at first start and renewed in time.

In PBX_DATA_DIR/tls: `authority.pem` and `authority-key.pem`, `certificate.pem` and `key.pem`. Keys are
readable by their owner alone. The certificate's key stays when it is renewed, so that one rename
changes everything and nobody ever reads half of it.

Interop: `certificate.pem` stands alone, without the authority's behind it. Who trusts the authority has
it already (RFC 8446 §4.4.2), and phones with Mbed TLS (Linphone) refuse any chain in which they see its
critical name constraints, even when they are told to check nothing.
"""

from __future__ import annotations

import datetime
import enum
import os
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature as _BadSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pbx.certificates.authority import Authority, general_name, issue, make_authority
from pbx.certificates.names import Names

RENEWED_BEFORE: Final = datetime.timedelta(days=60)
AUTHORITY_RENEWED_BEFORE: Final = datetime.timedelta(days=400)
"""Longer than a certificate lasts: none outlives the authority that it is from."""


class Kept(enum.Enum):
    """What was done."""

    NOTHING = ""
    CERTIFICATE = "certificate"
    AUTHORITY = "authority"


def authority_file(directory: Path) -> Path:
    return directory / "authority.pem"


def keep(directory: Path, names: Names, now: datetime.datetime) -> Kept:
    """Make or renew what is missing, ends soon, or lacks a name. `now` is in UTC.

    A needed name that the authority was not made for means another authority, which phones and
    browsers must be given anew; of the further names those are left out that it is not for.
    """
    done = Kept.NOTHING
    authority = _load_authority(directory, now)
    if authority is None or not all(authority.permits(name) for name in names.needed):
        authority = make_authority(names.needed, now)
        _write(directory / "authority-key.pem", _pem(authority.key))
        _write(authority_file(directory), authority.pem)
        done = Kept.AUTHORITY
    wanted = [*names.needed, *filter(authority.permits, names.further)]
    key = _load_key(directory / "key.pem")
    present = _load_certificate(directory / "certificate.pem")
    if key is None:
        key = ec.generate_private_key(ec.SECP256R1())
        _write(directory / "key.pem", _pem(key))
        present = None
    if present is None or not _will_do(present, authority, key, wanted, now):
        certificate = issue(authority, key, wanted, now)
        _write(directory / "certificate.pem", certificate.public_bytes(serialization.Encoding.PEM))
        done = Kept.CERTIFICATE if done is Kept.NOTHING else done
    return done


def _will_do(
    present: x509.Certificate,
    authority: Authority,
    key: ec.EllipticCurvePrivateKey,
    wanted: list[str],
    now: datetime.datetime,
) -> bool:
    if (
        present.not_valid_after_utc - now < RENEWED_BEFORE
        or present.public_key() != key.public_key()
    ):
        return False
    try:
        present.verify_directly_issued_by(authority.certificate)
        has = present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, x509.ExtensionNotFound, _BadSignature):
        return False
    return all(general_name(name) in has for name in wanted)


def _load_authority(directory: Path, now: datetime.datetime) -> Authority | None:
    """The one that is there, if it is whole and lasts."""
    certificate = _load_certificate(authority_file(directory))
    key = _load_key(directory / "authority-key.pem")
    if certificate is None or key is None or certificate.public_key() != key.public_key():
        return None
    if certificate.not_valid_after_utc - now < AUTHORITY_RENEWED_BEFORE:
        return None
    return Authority(certificate, key)


def _load_certificate(file: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _load_key(file: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(file: Path, content: bytes) -> None:
    """There whole or not at all, and for its owner alone."""
    unfinished = file.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(descriptor)
    unfinished.rename(file)
