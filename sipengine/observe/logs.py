"""The engine's log: one line an event, a constant message and fields, secrets never.

    timestamp=2026-11-22T13:40:08.123456Z level=warning event="connection closed" why="too slow"

Lines that a stranger can provoke go through `Scarce`, which lets a few a second pass and tells how
many it kept back; so does what goes on for hours, such as a full disk, with one a minute.
"""

from __future__ import annotations

import re
import sys
from collections.abc import MutableMapping
from time import monotonic
from typing import Any, Final, TextIO

import structlog

HIDDEN: Final = "[hidden]"

_SECRET_FIELDS: Final = frozenset(
    {
        "authorization",
        "proxy_authorization",
        "ha1",
        "ha1_md5",
        "ha1_sha256",
        "nonce",
        "cnonce",
        "response",
        "password",
        "secret",
        "key",
        "token",
    }
)
# What a piece of a SIP message may give away: credentials, SRTP keys, ICE passwords, and the
# password within a URL.
_CREDENTIALS: Final = re.compile(r"((?:proxy-)?authorization[ \t]*:)[^\r\n]*", re.IGNORECASE)
_SECRET_TEXT: Final = re.compile(
    r"""(\b(?:response|nonce|cnonce|nextnonce|rspauth|ha1)\s*=\s*|\binline:|\bice-pwd:|://[^\s/:@]*:)"""
    r"""(?:"[^"]*"|[^\s,;@"]+)""",
    re.IGNORECASE,
)
_URI_PASSWORD: Final = re.compile(r"""(\bsips?:[^\s:@;<>"]*:)[^\s@<>"]+(?=@)""", re.IGNORECASE)
_URI_HEADER: Final = re.compile(r"(\b(?:proxy-)?authorization=)[^&\s<>]*", re.IGNORECASE)
# Also what makes a reader see a text in another order than it has, or as several lines.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The one redactor: hides what is secret by its field's name, and by its look within a text."""
    for name, value in event.items():
        if name.lower() in _SECRET_FIELDS:
            event[name] = HIDDEN
        elif isinstance(value, bytes):
            event[name] = redact_text(value.decode("latin-1"))
        elif isinstance(value, str):
            event[name] = redact_text(value)
    return event


def redact_text(text: str) -> str:
    """Hide what looks secret, and write control characters so that a terminal does not obey them."""
    text = _CREDENTIALS.sub(rf"\1 {HIDDEN}", text)
    text = _SECRET_TEXT.sub(rf"\1{HIDDEN}", text)
    text = _URI_HEADER.sub(rf"\1{HIDDEN}", _URI_PASSWORD.sub(rf"\1{HIDDEN}", text))
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def configure(stream: TextIO | None = None) -> None:
    """Send all log lines to `stream` (standard error), as key=value."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.LogfmtRenderer(
                key_order=["timestamp", "level", "event"], bool_as_flag=False
            ),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


class Scarce:
    """Lets `most` lines of one kind pass in `seconds`; the next one tells what was kept back."""

    def __init__(self, most: int = 3, seconds: float = 1.0) -> None:
        self._most = most
        self._seconds = seconds
        self._since = monotonic() - seconds
        self._passed = 0
        self._kept_back = 0

    def warning(self, event: str, **fields: object) -> None:
        now = monotonic()
        if now - self._since >= self._seconds:
            self._since = now
            self._passed = 0
        if self._passed >= self._most:
            self._kept_back += 1
            return
        self._passed += 1
        if self._kept_back:
            fields["kept_back"] = self._kept_back
            self._kept_back = 0
        structlog.get_logger().warning(event, **fields)
