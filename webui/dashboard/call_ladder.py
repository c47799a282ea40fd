"""The ladder of one call's messages, with the places of its lines for the page's drawing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import psycopg

from pbx.calls.ladder import FAILURE, PROVISIONAL, REQUEST, SERVER, SUCCESS, Ladder, ladder_of
from pbx.calls.models import Call
from pbx.enginelink.asking import messages_of
from pbx.enginelink.giving import NotGiven
from pbx.environment import current
from webui.dashboard.parties import Directory

TONES: Final = {REQUEST: "info", PROVISIONAL: "ring", SUCCESS: "ok", FAILURE: "bad"}
_AWAY: Final = "The phone engine does not answer, so its messages cannot be shown now."


@dataclass(frozen=True, slots=True)
class Column:
    """Who stands there; `x` is where its line is, in percent of the width."""

    letter: str
    who: str
    address: str
    device: str
    x: str


@dataclass(frozen=True, slots=True)
class Rung:
    """One message. `start`, `end` and `middle` are percents; `anchor` keeps its name inside."""

    after: str
    label: str
    tone: str
    again: bool
    text: str
    source: Column | None
    target: Column | None
    middle: str
    anchor: str
    rightwards: bool
    missing: int


@dataclass(frozen=True, slots=True)
class CallLadder:
    """What the page shows: `trouble` or `nothing_since`, or else columns and rungs."""

    columns: list[Column]
    rungs: list[Rung]
    trouble: str = ""
    nothing_since: dt.datetime | None = None


def ladder_of_call(call: Call) -> CallLadder:
    """Ask the engine; takes milliseconds, or a few seconds if it is not there."""
    try:
        kept = messages_of(current().database_url, call.call_ids)
    except (NotGiven, psycopg.Error):
        return CallLadder([], [], trouble=_AWAY)
    if not kept.messages:
        return CallLadder([], [], nothing_since=dt.datetime.fromtimestamp(kept.since, dt.UTC))
    ladder = ladder_of(kept.messages, {leg.contact: leg.target for leg in call.legs.all()})
    columns = _columns(ladder, call)
    return CallLadder(
        columns, [_rung(ladder, number, columns) for number in range(len(ladder.steps))]
    )


def _columns(ladder: Ladder, call: Call) -> list[Column]:
    directory = Directory.of([place.who for place in ladder.places if place.who != SERVER])
    width = 100 / len(ladder.places)
    columns = []
    for number, place in enumerate(ladder.places):
        who = place.who
        if who and who != SERVER:
            party = directory.party(who, call.domain)
            who = f"{party.title} ({party.detail})" if party.detail else party.title
        x = f"{(number + 0.5) * width:.2f}%"
        columns.append(Column(place.letter, who, place.address, place.device, x))
    return columns


def _rung(ladder: Ladder, number: int, columns: list[Column]) -> Rung:
    step = ladder.steps[number]
    after = f"{step.after:.3f}" if step.after < 100 else f"{step.after:.1f}"
    if step.missing:
        return Rung(after, "", "mute", False, "", None, None, "", "", False, step.missing)
    middle, anchor = _place_of_label(step.source, step.target, len(columns))
    return Rung(
        after, step.label, TONES[step.kind], step.again, step.text.rstrip(), columns[step.source],
        columns[step.target], middle, anchor, step.source < step.target, 0,
    )  # fmt: skip


def _place_of_label(source: int, target: int, count: int) -> tuple[str, str]:
    """Where a message's name stands: amid its arrow, or beginning or ending with it near an edge."""
    left, right = sorted((source, target))
    places: Mapping[str, float] = {
        "middle": (left + right + 1) / 2,
        "start": left + 0.5,
        "end": right + 0.5,
    }
    share = places["middle"] / count
    anchor = "start" if share < 0.3 else "end" if share > 0.7 else "middle"
    return f"{places[anchor] * 100 / count:.2f}%", anchor
