"""Header names: every spelling a peer may use to the one spelling used inside (RFC 3261 §7.3.1, §7.3.3)."""

from __future__ import annotations

from typing import Final

COMPACT_FORMS: Final[dict[str, str]] = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

SPELLINGS: Final = [
    "Accept",
    "Accept-Contact",
    "Accept-Encoding",
    "Accept-Language",
    "Alert-Info",
    "Allow",
    "Allow-Events",
    "Authentication-Info",
    "Authorization",
    "Call-ID",
    "Call-Info",
    "Contact",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "Date",
    "Diversion",
    "Error-Info",
    "Event",
    "Expires",
    "From",
    "History-Info",
    "Identity",
    "Identity-Info",
    "In-Reply-To",
    "Join",
    "Max-Breadth",
    "Max-Forwards",
    "MIME-Version",
    "Min-Expires",
    "Min-SE",
    "Organization",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Path",
    "Priority",
    "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Require",
    "RAck",
    "Reason",
    "Record-Route",
    "Refer-To",
    "Referred-By",
    "Reject-Contact",
    "Replaces",
    "Reply-To",
    "Request-Disposition",
    "Require",
    "Retry-After",
    "Route",
    "RSeq",
    "Server",
    "Service-Route",
    "Session-Expires",
    "Session-ID",
    "SIP-ETag",
    "SIP-If-Match",
    "Subject",
    "Subscription-State",
    "Supported",
    "Timestamp",
    "To",
    "Unsupported",
    "User-Agent",
    "Via",
    "Warning",
    "WWW-Authenticate",
]

_CANONICAL: Final[dict[str, str]] = {name.lower(): name for name in SPELLINGS} | COMPACT_FORMS

_TOKEN: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~"
)

_MEMO_LIMIT: Final = 4096
"""Spellings remembered; a peer that invents more than these costs itself the slow way."""
_LONGEST_REMEMBERED: Final = 64


class _Names(dict[str, str]):
    """Spelling -> name. Known spellings are one dictionary look-up; others are worked out once.

    A spelling that is no token (RFC 3261 §25.1) maps to "" and marks a broken header line.
    """

    def __missing__(self, spelling: str) -> str:
        stripped = spelling.rstrip(" \t")
        if stripped and _TOKEN.issuperset(stripped):
            name = _CANONICAL.get(stripped.lower()) or stripped.lower().title()
        else:
            name = ""
        if len(self) < _MEMO_LIMIT and len(spelling) <= _LONGEST_REMEMBERED:
            self[spelling] = name
        return name


NAMES: Final[dict[str, str]] = _Names(
    {
        spelling: name
        for name in SPELLINGS
        for spelling in (name, name.lower(), name.upper(), name.title())
    }
    | COMPACT_FORMS
    | {letter.upper(): name for letter, name in COMPACT_FORMS.items()}
)
"""`NAMES[spelling]` is the name as this project spells it; "" for what is no header name."""
