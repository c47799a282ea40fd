"""What it means that a phone refuses a call with a status (RFC 3261 §21), for who never heard of SIP."""

from __future__ import annotations

from typing import Final

_NO_COMMON: Final = "it and the caller’s phone have no codec or encryption in common"
_UNKNOWN: Final = "it does not know the number it was called by; look at the account set in it"
_LACKING: Final = "it lacks something that the caller’s phone asks for"
_CIRCLE: Final = "the call has come round in a circle"

MEANINGS: Final = {
    401: "it asks the caller for a password",
    403: "it is set to refuse such calls",
    404: _UNKNOWN,
    405: _LACKING,
    407: "it asks the caller for a password",
    410: _UNKNOWN,
    413: "the request was too large for it",
    415: _NO_COMMON,
    416: _UNKNOWN,
    420: _LACKING,
    421: _LACKING,
    433: "it takes no calls from withheld numbers",
    482: _CIRCLE,
    483: _CIRCLE,
    484: _UNKNOWN,
    485: _UNKNOWN,
    487: "it ended the call by itself",
    488: _NO_COMMON,
    501: _LACKING,
    513: "the request was too large for it",
    604: _UNKNOWN,
    606: _NO_COMMON,
}


def meaning(status: int) -> str:
    """A clause, "" where the status tells nothing more."""
    return MEANINGS.get(status) or ("it reports a fault of its own" if 500 <= status < 600 else "")
