"""The presence of a user, and its document: application/pidf+xml (RFC 3863), activities by RFC 4480."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Final

from sipengine.services.events.xml_text import HEAD, escaped
from sipengine.sip.errors import RemoteProtocolError

TYPE: Final = "application/pidf+xml"

MAX_DOCUMENT: Final = 8192
"""Octets of a published document: those of phones have less than 2,000."""
MAX_NOTE: Final = 200
MAX_ACTIVITIES: Final = 5

_PIDF: Final = "{urn:ietf:params:xml:ns:pidf}"
_RPID: Final = "{urn:ietf:params:xml:ns:pidf:rpid}"

ACTIVITIES: Final = frozenset(
    {
        "appointment", "away", "breakfast", "busy", "dinner", "holiday", "in-transit",
        "looking-for-work", "lunch", "meal", "meeting", "on-the-phone", "performance",
        "permanent-absence", "playing", "presentation", "shopping", "sleeping", "spectator",
        "steering", "travel", "tv", "vacation", "working", "worship",
    }
)  # fmt: skip
"""The activities of RFC 4480 §3.2 that are mere words."""


class Presence:
    """Whether a user can be reached, what he does, and a note to those who ask."""

    __slots__ = ("activities", "note", "open")

    def __init__(self, is_open: bool, activities: tuple[str, ...] = (), note: str = "") -> None:
        self.open = is_open
        self.activities = activities
        self.note = note


def document(aor: str, presence: Presence) -> str:
    """RFC 3863 §4: one tuple. The prefix `rpid` is as phones expect it that look for text, not XML."""
    entity = escaped(f"sip:{aor}")
    out = [
        f'{HEAD}<presence xmlns="urn:ietf:params:xml:ns:pidf"'
        ' xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
        f' xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="{entity}">\n'
        f'<tuple id="t1"><status><basic>{"open" if presence.open else "closed"}</basic></status>'
        f"<contact>{entity}</contact>"
    ]
    if presence.note:
        out.append(f"<note>{escaped(presence.note)}</note>")
    out.append("</tuple>\n")
    if presence.activities:
        words = "".join(f"<rpid:{word}/>" for word in presence.activities)
        out.append(f'<dm:person id="p1"><rpid:activities>{words}</rpid:activities></dm:person>\n')
    out.append("</presence>\n")
    return "".join(out)


def read(body: bytes) -> Presence:
    """What a published document says. Raises `RemoteProtocolError` 400 or 413.

    It is read and written anew for the watchers, never passed on: what one phone says cannot break
    another. A document type is refused, as no PIDF has one and entities can be made to explode.
    """
    if len(body) > MAX_DOCUMENT:
        raise RemoteProtocolError(413, "Request Entity Too Large")
    if b"<!" in body.replace(b"<!--", b"") or b"\0" in body:
        raise RemoteProtocolError(400, "Bad Request: broken presence document")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - no entities, see above
    except (ElementTree.ParseError, ValueError, LookupError):
        raise RemoteProtocolError(400, "Bad Request: broken presence document") from None
    if root.tag != f"{_PIDF}presence":
        raise RemoteProtocolError(400, "Bad Request: no presence document")
    basic = {
        (element.text or "").strip()
        for element in root.findall(f"{_PIDF}tuple/{_PIDF}status/{_PIDF}basic")
    }
    notes = [*root.findall(f"{_PIDF}tuple/{_PIDF}note"), *root.findall(f"{_PIDF}note")]
    note = next(((n.text or "").strip() for n in notes if (n.text or "").strip()), "")
    found: list[str] = []
    for element in root.iter(f"{_RPID}activities"):
        for child in element:
            word = child.tag.rpartition("}")[2]
            if child.tag.startswith(_RPID) and word in ACTIVITIES and word not in found:
                found.append(word)
    return Presence("open" in basic or not basic, tuple(found[:MAX_ACTIVITIES]), note[:MAX_NOTE])
