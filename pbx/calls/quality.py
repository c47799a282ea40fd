"""What the media gateway measured of a call, read back from its row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

SIDES: Final = ("caller", "callee")
_GRADES: Final = (
    (4.0, "good", "ok"),
    (3.6, "fair", "ok"),
    (3.1, "poor", "warn"),
    (0.0, "bad", "bad"),
)
"""Least mean opinion score -> word and tone (ITU-T G.107 Annex B: satisfied down to unacceptable)."""
_SILENCE: Final = {
    "caller": "Nothing is heard from the caller: its audio does not arrive. Does a firewall keep UDP from it?",
    "callee": "Nothing is heard from the called side: its audio does not arrive. Does a firewall keep UDP from it?",
}
_ENDED: Final = {
    "caller": "Nothing is heard from the caller any more: its audio has stopped arriving. Is it muted, or did it change its network?",
    "callee": "Nothing is heard from the called side any more: its audio has stopped arriving. Is it muted, or did it change its network?",
}
"""The same where audio came before."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one side sent, as it arrived: packets, percent lost, milliseconds, mean opinion score."""

    who: str
    packets: int
    lost_percent: float
    jitter_ms: float
    round_trip_ms: float
    mos: float
    grade: str
    tone: str
    codec: str


@dataclass(frozen=True, slots=True)
class Quality:
    sides: list[Side]
    trouble: str  # a sentence where audio goes one way only, else ""


def read(text: str) -> dict[str, Any] | None:
    """The figures as the gateway gave them, None for a call whose audio did not go through one."""
    if not text:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def quality_of(text: str) -> Quality | None:
    """The figures for people."""
    found = read(text)
    if found is None:
        return None
    sides = [_side(who, found[who]) for who in SIDES if isinstance(found.get(who), dict)]
    silent = str(found.get("silent", ""))
    figures = found.get(silent)
    heard = isinstance(figures, dict) and _number(figures, "packets") > 0
    return Quality(sides, (_ENDED if heard else _SILENCE).get(silent, "")) if sides else None


def _side(who: str, figures: dict[str, Any]) -> Side:
    packets, lost = _number(figures, "packets"), _number(figures, "lost")
    mos = _number(figures, "mos_100") / 100
    percent = 100 * lost / (packets + lost) if packets + lost else 0.0
    grade, tone = ("nothing arrived", "bad") if not packets else ("not rated", "mute")
    if packets and mos:
        grade, tone = next((word, tone) for least, word, tone in _GRADES if mos >= least)
    return Side(
        who="The caller" if who == "caller" else "The called side",
        packets=packets,
        lost_percent=round(percent or _number(figures, "loss_percent"), 1),
        jitter_ms=round(_number(figures, "jitter_us") / 1000, 1),
        round_trip_ms=round(_number(figures, "round_trip_us") / 1000, 1),
        mos=round(mos, 1),
        grade=grade,
        tone=tone,
        codec=str(figures.get("codec", "")),
    )


def _number(figures: dict[str, Any], name: str) -> int:
    value = figures.get(name, 0)
    return value if isinstance(value, int) else 0
