"""Digest access authentication, the hashing and the header fields (RFC 7616, 8760; RFC 3261 §22).

Only the arithmetic: nonces, replay and users are `services.authentication`'s.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final

from sipengine.sip.errors import RemoteProtocolError

try:  # half the cost of hashlib's; some distributions leave it out
    from _md5 import md5  # type: ignore[import-not-found]
except ImportError:
    md5 = partial(hashlib.md5, usedforsecurity=False)

scanned: Callable[[str], dict[str, str] | None] | None
"""The compiled twin of `read_credentials` for the usual spelling, where there is one."""
try:
    from sipengine.sip.scanner import credentials as scanned
except ImportError:
    scanned = None

MD5: Final = "MD5"
SHA_256: Final = "SHA-256"

MAX_CREDENTIALS: Final = 2048
"""A longer Authorization value is an attack: real ones have 200 to 400 characters."""

_KNOWN: Final = frozenset(
    ["username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "opaque", "qop", "nc"]
)
_FIELD: Final = re.compile(
    r"[\s,]*([A-Za-z0-9.!%*_+`'~-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]*))\s*(?=,|$)",
    re.DOTALL,
)
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)


def parse_credentials(text: str) -> dict[str, str] | None:
    """The fields of one Authorization or Proxy-Authorization value, by lower-case name, unquoted.

    None if the scheme is not Digest. Raises `RemoteProtocolError` 400 if it is but is broken.
    """
    if text[:7] != "Digest " and text[:7].lower() not in ("digest ", "digest\t"):
        return None
    if len(text) > MAX_CREDENTIALS:
        raise RemoteProtocolError(400, "Bad Request: credentials too long")
    if scanned is not None:
        fields = scanned(text)
        if fields is not None:
            return fields
    return read_credentials(text)


def read_credentials(text: str) -> dict[str, str]:
    """The reference: `parse_credentials` without the compiled scanner, for what begins with `Digest `."""
    # The usual spelling is taken apart without a regular expression, at a third of the cost.
    # A comma or blank in quotes, odd spacing and fields that nobody knows go the exact way.
    parts = text[7:].split('"')
    flat = "".join(parts).replace(", ", ",").replace(", ", ",")
    odd = " " in flat or "\t" in flat or "\\" in flat
    if not odd and len(parts) & 1 and "," not in "".join(parts[1::2]):
        fields: dict[str, str] = {}
        for item in flat.split(","):
            name, _, value = item.partition("=")
            fields[name] = value
        if _KNOWN.issuperset(fields):
            return fields
    return _parse_exactly(text[7:])


def _parse_exactly(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    text = text.rstrip(" \t\r\n,")
    at = 0
    while at < len(text):
        match = _FIELD.match(text, at)
        if match is None:
            raise RemoteProtocolError(400, "Bad Request: broken credentials")
        name, quoted, token = match.groups()
        fields[name.lower()] = token if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted)
        at = match.end()
    return fields


def _md5(text: str) -> str:
    return md5(text.encode("latin-1")).hexdigest()  # type: ignore[no-any-return]


def _sha_256(text: str) -> str:
    return hashlib.sha256(text.encode("latin-1")).hexdigest()


_HASHES: Final[dict[str, Callable[[str], str]]] = {MD5: _md5, SHA_256: _sha_256}


@lru_cache(maxsize=4096)
def _hash_of_request(algorithm: str, method: str, uri: str) -> str:
    """HA2. Remembered, since a phone registers at one URI all its life."""
    return _HASHES[algorithm](f"{method}:{uri}")


def expected_response(algorithm: str, ha1: str, method: str, fields: dict[str, str]) -> str:
    """The response that fits these fields if `ha1` is H(username:realm:password) in lower-case hex.

    `algorithm` is `MD5` or `SHA_256`. Without a qop the rule of RFC 2069 holds, which RFC 3261
    §22.4 keeps for old phones. Text is hashed as the bytes it came in.
    """
    ha2 = _hash_of_request(algorithm, method, fields.get("uri", ""))
    nonce = fields.get("nonce", "")
    qop = fields.get("qop")
    if qop:
        nc, cnonce = fields.get("nc", ""), fields.get("cnonce", "")
        return _HASHES[algorithm](f"{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}")
    return _HASHES[algorithm](f"{ha1}:{nonce}:{ha2}")


def same_response(given: str, expected: str) -> bool:
    """Whether two responses are equal, in a time that does not tell how far they agree."""
    return given.isascii() and hmac.compare_digest(given.lower(), expected)


def challenge(realm: str, nonce: str, algorithm: str, stale: bool) -> str:
    """The value of a WWW-Authenticate or Proxy-Authenticate line (RFC 8760 §2.4)."""
    value = f'Digest realm="{realm}", nonce="{nonce}", algorithm={algorithm}, qop="auth"'
    return value + ", stale=true" if stale else value
