"""Phone passwords: making them, refusing unusable ones, and the hashes that are stored instead."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final, NamedTuple

from django.core.exceptions import ValidationError

from pbx.directory.validators import validate_one_line

PASSWORD_LIMIT: Final = 128
"""More than any phone's settings page takes; keeps hashing cheap."""
# Without 0 O 1 l I: people copy these from paper into a desk phone.
_ALPHABET: Final = "23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
_GENERATED_LENGTH: Final = 18  # 105 bits


class Secrets(NamedTuple):
    """Lower-case hex of H(number:realm:password) (RFC 7616 §3.4.2)."""

    ha1_md5: str
    ha1_sha256: str


def generate_password() -> str:
    """Return a random password that is easy to read and to type."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GENERATED_LENGTH))


def validate_password(password: str) -> None:
    """Refuse what no phone could send: an empty, overlong or multi-line password."""
    if not password:
        raise ValidationError("The password is empty. Give one, or let one be generated.")
    if len(password) > PASSWORD_LIMIT:
        raise ValidationError(f"A phone's password has at most {PASSWORD_LIMIT} characters.")
    validate_one_line(password)


def hash_password(number: str, realm: str, password: str) -> Secrets:
    """Return what is stored instead of the password; it holds for this number and realm only."""
    text = f"{number}:{realm}:{password}".encode()
    return Secrets(
        # RFC 8760 keeps MD5 for the phones that know nothing else.
        hashlib.md5(text, usedforsecurity=False).hexdigest(),
        hashlib.sha256(text).hexdigest(),
    )
