"""The contacts of a user, and their document: application/reginfo+xml (RFC 3680 §5)."""

from __future__ import annotations

import hashlib
from typing import Final

from sipengine.services.binding import Binding
from sipengine.services.events.xml_text import HEAD, escaped
from sipengine.sip.address import parse_parameters, readable

TYPE: Final = "application/reginfo+xml"

REGISTERED: Final = "registered"
REFRESHED: Final = "refreshed"
UNREGISTERED: Final = "unregistered"

INIT: Final = "init"
ACTIVE: Final = "active"
TERMINATED: Final = "terminated"

_IN_ATTRIBUTES: Final = frozenset({"q", "expires"})


def identity_of(binding: Binding) -> str:
    """The `id` of a contact (RFC 3680 §5.3.3): the same after a restart, another for another phone."""
    text = f"{binding.contact}\0{binding.instance}\0{binding.reg_id}".encode("latin-1", "replace")
    return "c" + hashlib.blake2s(text, digest_size=9).hexdigest()


def word_of(binding: Binding) -> str:
    """What tells one state of a contact from another; its URI follows the first blank."""
    return f"{binding.q:g} {binding.contact}"


def contact_there(identity: str, binding: Binding, now: float, wall: float) -> str:
    """The element of a contact that is registered."""
    event = REFRESHED if binding.updated_at > binding.registered_at else REGISTERED
    out = [
        f'<contact id="{identity}" state="{ACTIVE}" event="{event}"'
        f' duration-registered="{max(0, int(wall - binding.registered_at))}"'
        f' expires="{max(0, int(binding.expires - now + 0.5))}" q="{binding.q:g}"'
        f' callid="{_text(binding.call_id)}" cseq="{binding.cseq}">'
        f"<uri>{_text(binding.contact)}</uri>"
    ]
    for name, value in parse_parameters(binding.params):
        if name.lower() not in _IN_ATTRIBUTES:
            shown = f'"{value}"' if f'="{value}"' in binding.params else value  # RFC 5628 §5
            out.append(f'<unknown-param name="{_text(name)}">{_text(shown)}</unknown-param>')
    out.append("</contact>\n")
    return "".join(out)


def contact_gone(identity: str, uri: str, event: str) -> str:
    """The element of a contact that has ended: `event` says why (RFC 3680 §4.7.2)."""
    return (
        f'<contact id="{identity}" state="{TERMINATED}" event="{event}">'
        f"<uri>{_text(uri)}</uri></contact>\n"
    )


def document(aor: str, version: int, whole: bool, state: str, contacts: list[str]) -> str:
    """RFC 3680 §5.2: one registration, `state` INIT, ACTIVE or TERMINATED."""
    return (
        f'{HEAD}<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="{version}"'
        f' state="{"full" if whole else "partial"}">\n'
        f'<registration aor="{_text("sip:" + aor)}" id="r1" state="{state}">\n'
        f"{''.join(contacts)}</registration>\n</reginfo>\n"
    )


def _text(value: str) -> str:
    return escaped(readable(value))
