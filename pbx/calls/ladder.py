"""A call's messages as a ladder: who stands where, and each message as a step between two of them.

The same for a terminal and for a page; what the engine told is `pbx.enginelink.asking.Kept`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SERVER: Final = "Branchline"

REQUEST: Final = "request"
PROVISIONAL: Final = "provisional"
SUCCESS: Final = "success"
FAILURE: Final = "failure"

_COMPACT: Final = {"f": "from", "t": "to", "c": "content-type", "i": "call-id"}
_USER: Final = re.compile(r"sips?:([^@;?>\s]*)@", re.IGNORECASE)
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(slots=True)
class Place:
    """A column. `who` is a number or a user's name, `address` with its transport in front."""

    letter: str
    who: str
    address: str
    device: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One message from column to column, or `missing` messages that are not kept any more.

    `at` is seconds since 1970, `after` since the first message. `again`: a retransmission.
    """

    at: float
    after: float
    source: int = 0
    target: int = 0
    label: str = ""
    kind: str = REQUEST
    again: bool = False
    text: str = ""
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Ladder:
    places: list[Place]
    steps: list[Step]

    @property
    def began(self) -> float:
        return self.steps[0].at


@dataclass(slots=True)
class _Message:
    """A message's first line and headers; of several of one name the first."""

    first: str
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> _Message:
        lines = text.partition("\n\n")[0].split("\n")
        message = cls(lines[0])
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            message.headers.setdefault(_COMPACT.get(name, name), value.strip())
        return message

    @property
    def is_answer(self) -> bool:
        return self.first.startswith("SIP/2.0 ")

    def user(self, header: str) -> str:
        found = _USER.search(self.headers.get(header, ""))
        return found[1] if found else ""

    @property
    def label(self) -> str:
        if self.is_answer:
            label = self.first[8:].strip()
            method = self.headers.get("cseq", "").partition(" ")[2].strip()
            if method not in ("INVITE", ""):
                label += f" ({method})"
        else:
            label = self.first.partition(" ")[0]
            if label in ("REFER", "NOTIFY"):
                label += self._about_transfer()
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return f"{label}, SDP" if kind == "application/sdp" else label

    def _about_transfer(self) -> str:
        target = self.user("refer-to")
        return f" to {target}" if target else ""

    @property
    def kind(self) -> str:
        if not self.is_answer:
            return REQUEST
        return {"1": PROVISIONAL, "2": SUCCESS}.get(self.first[8:9], FAILURE)


def ladder_of(
    messages: Iterable[dict[str, Any]], contacts: Mapping[str, str] | None = None
) -> Ladder:
    """`messages` as the engine tells them; `contacts` names who is behind a contact that was rung."""
    told = list(messages)
    peers: dict[tuple[str, str], Place] = {}
    parsed: list[tuple[dict[str, Any], _Message | None]] = []
    local = ""
    for one in told:
        message = _Message.of(one["text"]) if "text" in one else None
        parsed.append((one, message))
        if message is None:
            continue
        local = local or f"{one['transport']} {one['local']}"
        key = one["transport"], one["peer"]
        place = peers.setdefault(key, Place("", "", " ".join(key)))
        _learn(place, message, bool(one["received"]), contacts or {})
    spoken = [one for one in told if "text" in one]
    server = Place("", SERVER, local)
    first = 1 if spoken and spoken[0]["received"] else 0
    others = list(peers.values())
    places = [*others[:first], server, *others[first:]]
    letters = iter(_LETTERS)
    for number, place in enumerate(places):
        place.letter = next(letters, f"#{number}")
    columns = {key: places.index(place) for key, place in peers.items()}
    at_server = places.index(server)
    began = float(told[0]["at"]) if told else 0.0
    return Ladder(places, [_step(one, m, columns, at_server, began) for one, m in parsed])


def _step(
    one: dict[str, Any], message: _Message | None, columns: Mapping[tuple[str, str], int],
    server: int, began: float,
) -> Step:  # fmt: skip
    at = float(one["at"])
    after = max(0.0, at - began)
    if message is None:
        return Step(at, after, missing=int(one["missing"]))
    peer = columns[(one["transport"], one["peer"])]
    source, target = (peer, server) if one["received"] else (server, peer)
    return Step(
        at, after, source, target, message.label, message.kind, bool(one["again"]), one["text"]
    )


def _learn(place: Place, message: _Message, received: bool, contacts: Mapping[str, str]) -> None:
    """What a message tells of the peer that sent or got it."""
    if received and not place.device:
        place.device = message.headers.get("user-agent", "") or message.headers.get("server", "")
    if place.who:
        return
    if message.is_answer:
        return
    if received:
        place.who = message.user("from")
    else:
        uri = message.first.partition(" ")[2].rpartition(" ")[0]
        found = _USER.search(uri)
        place.who = (
            contacts.get(uri) or message.user("to") or (found[1] if found else "")
        ).partition("@")[0]
