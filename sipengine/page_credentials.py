"""Credentials by which a page may be the phone of an extension for some minutes, without its password.

The web side gives one to whoever is logged in; the engine checks it without having been told of it:
the user name says the extension, when the credential ends and which page it is for
(`1001~1767225600~91c2…`), and what stands for H(username:realm:password) (RFC 7616 §3.4.2) is a MAC
of that name and the realm, under a key that both derive from the installation's secret. So it holds
for one extension, cannot be lengthened, and who steals it has it until its page is told to be over,
or for minutes only.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import blake2b, sha256
from typing import Final

MARK: Final = "~"
"""Between number and end. No extension's number has it."""

LIFE_S: Final = 600
"""Seconds that a credential holds: a page renews it in time, a stolen one soon ends."""

_DIGITS: Final = 11
"""Of the end, in seconds since 1970; they last until the year 5138."""


PAGE_BYTES: Final = 8
"""Random bytes of a page's mark, which is written in hexadecimal: no two pages ever share one."""


@dataclass(frozen=True, slots=True)
class PageCredential:
    """What a page is given. `ends` is seconds since 1970; `ha1` is for the algorithm MD5."""

    username: str
    realm: str
    ha1: str
    ends: int


def page_key(installation_secret: str) -> bytes:
    return blake2b(installation_secret.encode(), digest_size=32, person=b"page credential").digest()


def issue(number: str, realm: str, page: str, key: bytes, wall: float) -> PageCredential:
    """A credential of the page with the mark `page` for `number@realm`, which holds for `LIFE_S`
    from `wall`, seconds since 1970."""
    ends = int(wall) + LIFE_S
    username = f"{number}{MARK}{ends}{MARK}{page}"
    return PageCredential(username, realm, ha1_of(username, realm, "MD5", key), ends)


def split(username: str) -> tuple[str, int, str] | None:
    """The extension's number, the end and the page that a user name tells; None if it is none of ours."""
    parts = username.rsplit(MARK, 2)
    if len(parts) != 3:
        return None
    number, ends, page = parts
    if not number or not (ends.isascii() and ends.isdigit()) or len(ends) > _DIGITS:
        return None
    if len(page) != 2 * PAGE_BYTES:
        return None
    return number, int(ends), page


def ha1_of(username: str, realm: str, algorithm: str, key: bytes) -> str:
    """What stands for H(username:realm:password), as long as `algorithm` ("MD5" or another) makes it."""
    text = f"{algorithm}\n{realm}\n{username}".encode("latin-1", "replace")
    mac = hmac.new(key, text, sha256).hexdigest()
    return mac[:32] if algorithm == "MD5" else mac
