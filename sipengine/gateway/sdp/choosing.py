"""Which formats each side is told, and how packets of one become packets of the other.

Pure. A codec that both sides name passes undecoded; only if they share no voice codec is one
side's turned into the other's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipengine.gateway.sdp.formats import (
    COMFORT_NOISE,
    EVENTS,
    G722,
    OPUS,
    PCMA,
    PCMU,
    Codec,
    Format,
    find,
    voice_of,
)

TRANSCODED: Final = {"PCMU": PCMU, "PCMA": PCMA, "G722": G722, "OPUS": OPUS}
_NUMBERS: Final = {PCMU: 0, PCMA: 8, G722: 9}
_EVENTS: Final = "0-16"
_DYNAMIC: Final = range(127, 95, -1)


@dataclass(frozen=True, slots=True)
class Route:
    """What becomes of packets with one payload number: they get `number`, undecoded if `of` is None.

    `scale` is (clock of the receiver, clock of the sender).
    """

    number: int
    scale: tuple[int, int]
    of: Codec | None = None  # transcoded from this
    to: Codec | None = None
    is_event: bool = False


def offered_formats(
    theirs: tuple[Format, ...], added: list[str], keys: bool = False
) -> tuple[Format, ...]:
    """What the other side is offered: all that the offerer speaks and then the codecs `added`.

    `keys`: telephone events too, whatever the offerer speaks.
    """
    formats = [item for item in theirs if item.codec.is_voice or item.codec.name == EVENTS]
    formats += [item for item in theirs if item.codec.name == COMFORT_NOISE]
    used = {item.number for item in formats}
    if not any(item.codec.name in TRANSCODED for item in formats):
        return tuple(formats)
    for name in added:
        codec = TRANSCODED.get(name.upper())
        if codec is None or find(tuple(formats), codec) is not None:
            continue
        number = _NUMBERS.get(codec, -1)
        if number < 0 or number in used:
            number = _free(used)
        if number < 0:
            continue
        used.add(number)
        formats.append(Format(number, codec, "useinbandfec=1" if codec == OPUS else ""))
    events = [item.codec.clock for item in formats if item.codec.name == EVENTS]
    clocks = dict.fromkeys(item.codec.clock for item in formats if item.codec.is_voice)
    if events or keys:
        for clock in clocks:
            number = _free(used)
            if clock not in events and clock in (8000, 48000) and number >= 0:
                used.add(number)
                formats.append(Format(number, Codec(EVENTS, clock), _EVENTS))
    return tuple(formats)


def _free(used: set[int]) -> int:
    """A dynamic number that nothing has yet, -1 if the offerer took all 32 (RFC 3551 §6)."""
    return next((free for free in _DYNAMIC if free not in used), -1)


def numbered(formats: tuple[Format, ...], known: dict[Codec, int]) -> tuple[Format, ...]:
    """The same for a peer that knows codecs by the numbers `known`, which gain those that are new.

    A number never comes to mean another codec while a session lasts (RFC 3264 §8.3.2).
    """
    found: list[Format] = []
    seen: set[Codec] = set()
    for item in formats:
        number = known.get(item.codec, -1) if item.codec not in seen else -1
        if number < 0:
            taken = {*known.values(), *(each.number for each in found)}
            number = item.number
            if number in taken:
                number = _free(taken)
            if number < 0:
                continue
            known.setdefault(item.codec, number)
        seen.add(item.codec)
        found.append(Format(number, item.codec, item.parameters))
    return tuple(found)


def answered_formats(
    offered: tuple[Format, ...], accepted: tuple[Format, ...], keys: bool = False
) -> tuple[Format, ...]:
    """What the offerer is answered, its numbers kept; empty if nothing can be made to fit.

    `keys`: its telephone events are wanted, whatever the other side speaks.
    """
    chosen: list[Format] = []
    for theirs in voice_of(accepted):
        ours = find(offered, theirs.codec)
        if ours is not None:
            chosen.append(Format(ours.number, ours.codec, theirs.parameters or ours.parameters))
    if not chosen:
        able = [item for item in voice_of(offered) if item.codec.name in TRANSCODED]
        if not able or not any(item.codec.name in TRANSCODED for item in voice_of(accepted)):
            return ()
        chosen = able[:1]
    clocks = {item.codec.clock for item in chosen}
    if keys or any(item.codec.name == EVENTS for item in accepted):
        chosen += [
            item for item in offered if item.codec.name == EVENTS and item.codec.clock in clocks
        ]
    if find(accepted, Codec(COMFORT_NOISE, 8000)) and 8000 in clocks:
        chosen += [item for item in offered if item.codec == Codec(COMFORT_NOISE, 8000)]
    return tuple(chosen)


def routes(told: tuple[Format, ...], wanted: tuple[Format, ...]) -> dict[int, Route]:
    """By payload number of the sender (which was `told` these) the way to a receiver that `wanted` those."""
    table: dict[int, Route] = {}
    voice = [item for item in voice_of(wanted) if item.codec.name in TRANSCODED]
    clock = voice_of(wanted)[0].codec.clock if voice_of(wanted) else 8000
    for item in told:
        codec = item.codec
        same = find(wanted, codec)
        if same is not None:
            scale = (codec.clock, codec.clock)
            table[item.number] = Route(same.number, scale, is_event=codec.name == EVENTS)
        elif codec.name == EVENTS:
            event = find(wanted, Codec(EVENTS, clock))
            if event is not None:
                scale = (event.codec.clock, codec.clock)
                table[item.number] = Route(event.number, scale, is_event=True)
        elif codec.is_voice and codec.name in TRANSCODED and voice:
            into = voice[0]
            table[item.number] = Route(
                into.number, (into.codec.clock, codec.clock), codec, into.codec
            )
    return table
