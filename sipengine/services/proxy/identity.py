"""Who the caller is, and to whom that is told (RFC 3323, RFC 3325).

The trust domain is this server and the hosts that the domain's settings name. Telephones are
outside of it: what they say of themselves in P-Asserted-Identity is taken off, and what this server
asserts is the extension whose password they gave. A caller who asks for `Privacy: id` is named to
trusted hosts only. Other levels (header, session, user) need a server that stands in for the caller
in the whole dialog: they are handed on untouched to whoever may do it, and refused where the sender
calls them critical, as are words that nobody here knows. That is for new requests: what follows in a
dialog does not end it.
"""

from __future__ import annotations

from typing import Final

from sipengine.api import Extension
from sipengine.sip.address import parse_address
from sipengine.sip.errors import RemoteProtocolError
from sipengine.sip.flow import Flow
from sipengine.sip.message import Message

ASSERTED: Final = "P-Asserted-Identity"
PREFERRED: Final = "P-Preferred-Identity"
_ANONYMOUS: Final = "@anonymous.invalid"
_KEPT: Final = frozenset({"none", "critical", "id", "history"})
"""The words of Privacy that this server does what is asked by (`history`: proxy/history.py)."""


def is_anonymous(uri: str) -> bool:
    """Whether a From URI is the one that hides its owner (RFC 3323 §4.1.1.3)."""
    return uri.partition(";")[0].lower().endswith(_ANONYMOUS)


def preferred(message: Message) -> str:
    """The URI that the caller would like to be known by, "" if he names none (RFC 3325 §9.2)."""
    for value in message.all(PREFERRED):
        uri = parse_address(value).uri_text
        if uri[:4].lower() in ("sip:", "sips"):
            return uri
    return ""


def privacy_of(message: Message) -> frozenset[str]:
    """The words of the Privacy header, in lower case (RFC 3323 §4.2).

    Raises `RemoteProtocolError` 500 for what is insisted on and cannot be done here (RFC 3323 §5).
    """
    if not message.has("Privacy"):
        return frozenset()
    words = {
        word.strip().lower()
        for value in message.whole_lines("Privacy")
        for word in value.replace(",", ";").split(";")
    } - {""}
    if "critical" in words and not words <= _KEPT:
        raise RemoteProtocolError(500, "Privacy Not Available")
    return frozenset(words)


def screen(message: Message, source: Flow, trusted: frozenset[str]) -> None:
    """Take off what an untrusted sender asserts, and what was meant for this server alone (RFC 3325 §5)."""
    if message.has(PREFERRED):
        message.replace(PREFERRED, [])
    if message.has(ASSERTED) and source.remote[0] not in trusted:
        message.replace(ASSERTED, [])


def asserted_line(who: Extension) -> str:
    """The header line that names an authenticated extension, with its end (RFC 3325 §9.1)."""
    display = ""
    if who.name and who.name.isprintable():
        name = who.name.replace("\\", "\\\\").replace('"', '\\"')
        display = f'"{name}" '.encode().decode("latin-1")  # UTF-8 on the wire (RFC 3261 §7.2)
    return f"{ASSERTED}: {display}<sip:{who.aor}>\r\n"


def assert_sender(message: Message, who: Extension) -> None:
    """Name the sender of a request other than INVITE, unless he asks for privacy or is named already."""
    if not message.has(ASSERTED) and "id" not in privacy_of(message):
        message.append([asserted_line(who).rstrip()])


def may_know(flow: Flow, privacy: frozenset[str], trusted: frozenset[str]) -> bool:
    """Whether whoever is reached by this flow may be told who calls (RFC 3325 §7)."""
    if "id" not in privacy:
        return True
    return flow.remote[0] in trusted
