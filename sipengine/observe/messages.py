"""SIP messages for people to read: what they were, without what only their senders may know."""

from __future__ import annotations

import re
from typing import Final

from sipengine.observe.logs import HIDDEN, redact_text

_LINE: Final = re.compile(r"\r?\n")
_FOLD: Final = re.compile(r"\r?\n[ \t]+")
_EMPTY_LINE: Final = re.compile(rb"\r?\n\r?\n")
_PARAMETER: Final = re.compile(r"""([A-Za-z0-9_*-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,;"]+)""")
_TOLD: Final = frozenset({"username", "realm", "uri", "algorithm", "qop", "nc"})
"""Parameters of credentials that are no secret, and tell why a password was not taken."""
_CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization"})
_KEYS: Final = ("k=", "a=key-mgmt:")
"""Lines of a session description that hold keys (RFC 4566 §5.12, RFC 4567); `redact_text` knows others."""


def readable(data: bytes) -> str:
    """A message's lines, each ended by a newline, fit to be shown to an operator.

    Of credentials the name and the realm are left, of bodies session descriptions without their
    keys and the answers to transfers. A text message, or the digits that a person typed, is nobody's
    business: of other bodies only the size is told.
    """
    split = _EMPTY_LINE.split(data, maxsplit=1)
    head = [_header(line) for line in _LINE.split(_FOLD.sub(" ", _text(split[0])))]
    body = split[1] if len(split) > 1 else b""
    return "\n".join([*head, "", *_body(body, head), ""] if body else [*head, ""])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _header(line: str) -> str:
    name, colon, value = line.partition(":")
    if not colon or name.strip().lower() not in _CREDENTIALS:
        return redact_text(line)
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return f"{redact_text(name)}: {HIDDEN}"
    told = [
        f"{found[1]}={redact_text(found[2]) if found[1].lower() in _TOLD else HIDDEN}"
        for found in _PARAMETER.finditer(rest)
    ]
    return f"{redact_text(name)}: Digest {', '.join(told)}"


def _body(body: bytes, head: list[str]) -> list[str]:
    kind = _value(head, "content-type", "c").partition(";")[0].strip().lower()
    if not _value(head, "content-encoding", "e"):
        if kind == "application/sdp":
            return [_description(line) for line in _LINE.split(_text(body).rstrip("\r\n"))]
        if kind == "message/sipfrag":
            text = _FOLD.sub(" ", _text(body).rstrip("\r\n"))
            return [_header(line) for line in _LINE.split(text)]
    return [f"[{len(body)} bytes of {kind or 'an unknown type'}, not shown]"]


def _description(line: str) -> str:
    for beginning in _KEYS:
        if line.lower().startswith(beginning):
            return beginning + HIDDEN
    return redact_text(line)


def _value(head: list[str], name: str, compact: str) -> str:
    for line in head[1:]:
        spelling, colon, value = line.partition(":")
        if colon and spelling.strip().lower() in (name, compact):
            return value.strip()
    return ""
