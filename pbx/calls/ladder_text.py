"""A ladder for a terminal, at most 118 columns wide."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from pbx.calls.ladder import Ladder, Step

_WIDTH: Final = 118
_MARGIN: Final = 12
"""The seconds, in front."""
_WIDEST: Final = 40
_INSIDE: Final = 5
"""Columns up to which a message's name fits on its arrow; with more it stands beside."""
_MOST: Final = 20
"""Columns that are drawn; whoever is beyond shares the last one, and is named by the letter."""


def draw(ladder: Ladder, *, full: bool = False) -> Iterator[str]:
    """Yield lines: who is who, then the steps; `full` puts each message below its arrow."""
    yield from (_cut(line) for line in _legend(ladder))
    yield ""
    drawn = _Drawn(len(ladder.places))
    yield drawn.heads([place.letter for place in ladder.places])
    for step in ladder.steps:
        if step.missing:
            yield f"{'...':>{_MARGIN - 2}}  {step.missing} messages are not kept any more"
            continue
        letter = ladder.places[max(step.source, step.target)].letter
        yield _cut(drawn.step(step, letter))
        if full:
            yield from (f"{'':{_MARGIN}}{line}".rstrip() for line in ("", *step.text.split("\n")))


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 2]}.."


def _legend(ladder: Ladder) -> Iterator[str]:
    widths = [
        max(len(getattr(place, name)) for place in ladder.places)
        for name in ("letter", "who", "address")
    ]
    for place in ladder.places:
        cells = zip((place.letter, place.who, place.address), widths, strict=True)
        yield "  ".join(("", *(cell.ljust(width) for cell, width in cells), place.device)).rstrip()


class _Drawn:
    """Where the columns stand."""

    def __init__(self, count: int) -> None:
        self._last = min(count, _MOST) - 1
        self._shared = count > _MOST
        self._inside = count <= _INSIDE
        room = _WIDTH - _MARGIN - 1 if self._inside else 64
        self._gap = min(_WIDEST, room // max(1, self._last))

    def heads(self, letters: list[str]) -> str:
        line = "seconds".rjust(_MARGIN - 2) + "  "
        shown = letters[: self._last + 1]
        if self._shared:
            shown[-1] += "..."
        for letter in shown:
            line += letter.ljust(self._gap)
        return line.rstrip()

    def step(self, step: Step, letter: str) -> str:
        source, target = min(step.source, self._last), min(step.target, self._last)
        left, right = sorted((source, target))
        label = step.label + (" (again)" if step.again else "")
        room = (right - left) * self._gap - 1
        arrow = self._arrow(label if self._inside else "", room, rightwards=source < target)
        line = "|" + "".join(f"{'':{self._gap - 1}}|" for _ in range(self._last))
        begin = left * self._gap + 1
        line = line[:begin] + arrow + line[begin + room :]
        beside = "" if self._inside else f"  {label}"
        if self._shared and right == self._last:
            beside += f" [{letter}]"
        return f"{step.after:>{_MARGIN - 2}.3f}  {line}{beside}"

    def _arrow(self, label: str, room: int, *, rightwards: bool) -> str:
        most = room - 6
        if len(label) > most:
            label = label[: most - 2] + ".." if most > 2 else ""
        text = f" {label} " if label else ""
        return f"{text:-^{room - 1}}>" if rightwards else f"<{text:-^{room - 1}}"


def heading(call: str, began: float) -> str:
    """The line above a ladder: which call, and when it began here."""
    return f"{call}, {datetime.fromtimestamp(began).astimezone():%Y-%m-%d %H:%M:%S.%f %Z}"
