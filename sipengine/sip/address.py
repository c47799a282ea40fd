"""name-addr and addr-spec with header parameters: From, To, Contact, Route, Record-Route, Path (RFC 3261 §20.10, §25.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.uri import SipUri, parse_uri

_NAME_ADDR: Final = re.compile(
    r"\s*(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<token>[^<\",;]*?))\s*<(?P<uri>[^<>]*)>\s*(?P<rest>.*)",
    re.DOTALL,
)


_ESCAPED: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Address:
    """`display <uri>;parameters`. `parameters` is the text after the URI, beginning with ";" or empty."""

    display: str
    uri_text: str
    parameters: str

    @property
    def uri(self) -> SipUri:
        """Raises `RemoteProtocolError` if the URI is none (or none of SIP)."""
        return parse_uri(self.uri_text)

    def parameter(self, name: str) -> str | None:
        """The value of a header parameter, quotes removed; "" without value; None if not there."""
        return dict(parse_parameters(self.parameters)).get(name)


def parse_address(value: str) -> Address:
    """One From, To, Contact or Route value.

    Without <> everything after the first ";" belongs to the header, not to the URI (§20).
    Raises `RemoteProtocolError` 400 if it is neither name-addr nor addr-spec.
    """
    if "<" not in value:
        uri, semicolon, rest = value.strip().partition(";")
        if not uri or '"' in uri or " " in uri or ":" not in uri:
            raise RemoteProtocolError(400, "Bad Request: broken address")
        return Address("", uri.strip(), semicolon + rest)
    match = _NAME_ADDR.fullmatch(value)
    if match is None:
        raise RemoteProtocolError(400, "Bad Request: broken address")
    rest = match["rest"].strip()
    if rest and not rest.startswith(";"):
        raise RemoteProtocolError(400, "Bad Request: broken address")
    quoted = match["quoted"]
    display = match["token"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
    return Address(display.strip(), match["uri"].strip(), rest)


@lru_cache(maxsize=8192)
def _parse_before_tag(text: str) -> Address:
    return parse_address(text)


def sender_of(value: str) -> Address:
    """The address in a From or To value, without its parameters.

    Same sender, same object: the tag differs from call to call, what stands before it does not.
    """
    end = value.find(">;tag=")
    return _parse_before_tag(value[: end + 1] if end >= 0 else value)


def parse_parameters(text: str) -> list[tuple[str, str]]:
    """`;name=value;flag;text="a;b"` as pairs; names in lower case, quotes removed."""
    if '"' not in text:
        out = []
        for item in text.split(";"):
            name, _, value = item.partition("=")
            name = name.strip()
            if name:
                out.append((name.lower(), value.strip()))
        return out
    out = []
    for item in re.findall(r";\s*((?:[^;\"]|\"(?:[^\"\\]|\\.)*\")*)", text):
        name, _, value = item.partition("=")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] == '"':
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        if name.strip():
            out.append((name.strip().lower(), value))
    return out


def quoted(text: str) -> str:
    """People's text as a quoted display name (§25.1): the core's latin-1 of its UTF-8."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    kept = "".join(char for char in escaped if char >= " " and char != "\x7f")
    return f'"{kept.encode().decode("latin-1")}"'


def readable(text: str) -> str:
    """Display text for people: the latin-1 text of the core read as the UTF-8 it most likely was."""
    return text if text.isascii() else text.encode("latin-1", "replace").decode("utf-8", "replace")
