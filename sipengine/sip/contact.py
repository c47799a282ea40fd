"""The Contact values of a REGISTER, as the registrar needs them (RFC 3261 §20.10, RFC 5626 §4.1)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from sipengine.sip.address import parse_address, parse_parameters
from sipengine.sip.errors import RemoteProtocolError

_PARAMETER: Final = re.compile(r";\s*((?:[^;\"]|\"(?:[^\"\\]|\\.)*\")*)")
_OURS: Final = frozenset({"expires", "pub-gruu", "temp-gruu"})
_Q: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class ContactParameters(NamedTuple):
    """The parameters of a contact. `kept` is their text without `expires`, which moves, and without
    the GRUUs that a phone gives back to us (RFC 5627 §5.1).

    `expires` is in seconds, None if not given; `q` is 1 if not given; `instance` as it stands
    within the quotes, "" if not given; `reg_id` 0 if not given or without instance (RFC 5626 §6).
    """

    kept: str
    expires: int | None
    q: float
    instance: str
    reg_id: int


def parse_contact(value: str) -> tuple[str, ContactParameters]:
    """The URI text and the parameters of one Contact value that is not "*".

    Raises `RemoteProtocolError` 400 if it is neither name-addr nor addr-spec, or has a "?" outside of
    <>, where nobody knows whether headers of the URI are meant (§20.10, RFC 4475 §3.1.2.13).
    """
    if value[:1] == "<":  # as nearly all phones write it
        uri, closed, rest = value[1:].partition(">")
        if closed and (not rest or rest[0] == ";"):
            return uri, contact_parameters(rest)
    address = parse_address(value)
    if "?" in address.uri_text and "<" not in value:
        raise RemoteProtocolError(400, "Bad Request: Contact with headers needs <>")
    return address.uri_text, contact_parameters(address.parameters)


@lru_cache(maxsize=4096)
def contact_parameters(text: str) -> ContactParameters:
    """Parse `;q=0.5;expires=3600;+sip.instance="<urn:uuid:..>"`. Raises 400 for a broken q."""
    if not text:
        return _NONE
    expires: int | None = None
    q, instance, reg_id, ours = 1.0, "", 0, False
    for name, value in parse_parameters(text):
        if name == "expires":
            expires = delta_seconds(value)
        elif name == "q":
            if _Q.fullmatch(value) is None:
                raise RemoteProtocolError(400, "Bad Request: broken q in Contact header")
            q = float(value)
        elif name == "+sip.instance":
            instance = value if value.strip("<>") else ""
        elif name == "reg-id" and value.isdigit() and value.isascii() and len(value) < 10:
            reg_id = int(value)
        elif name in _OURS:
            ours = True
    if not instance:
        reg_id = 0
    kept = text
    if expires is not None or ours:
        items = [item.strip() for item in _PARAMETER.findall(text)]
        kept = "".join(f";{i}" for i in items if i.partition("=")[0].strip().lower() not in _OURS)
    return ContactParameters(kept, expires, q, instance, reg_id)


_NONE: Final = ContactParameters("", None, 1.0, "", 0)

DEFAULT_EXPIRES: Final = 3600
_LONGEST: Final = 2**32 - 1


def delta_seconds(text: str) -> int:
    """The number of an Expires header or parameter; 3600 for what is none (§10.2.1.1)."""
    if text.isdigit() and text.isascii():
        return int(text) if len(text) <= 10 else _LONGEST
    return DEFAULT_EXPIRES
