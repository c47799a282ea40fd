"""Whom one can call by name: the extensions of the same domain, and whether they can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Case, Q, QuerySet, Value, When

from pbx.directory.models import Extension
from sipengine.services.feature_codes import FEATURE_CODES
from webui.dashboard.states import State
from webui.webphone.history import calls_of
from webui.webphone.presence import presence_of

SHOWN: Final = 8
COLLEAGUES: Final = 12
TEXT_LIMIT: Final = 100  # characters; names are hardly longer
ANSWERS_ITSELF: Final = State("Answers at once", "phone-check", "ok", quiet=True)
LOOKED_AT: Final = 100
"""Of one's last calls, for whom one calls most lately."""


@dataclass(frozen=True, slots=True)
class Found:
    number: str
    name: str
    state: State

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "name": self.name,
            "state": self.state.label,
            "tone": self.state.tone,
        }


def find(text: str, of: Extension) -> list[Found]:
    """Extensions and feature codes whose number begins with `text` or whose name has it.

    Nobody for no text.
    """
    text = text.strip()[:TEXT_LIMIT]
    if not text:
        return []
    wanted = Q(number__startswith=text) | Q(name__icontains=text)
    found = _found(_others(of).filter(wanted).order_by("number")[:SHOWN])
    taken = {each.number for each in found}
    programs = [
        Found(feature.code, feature.name, ANSWERS_ITSELF)
        for feature in FEATURE_CODES.values()
        if (feature.code.startswith(text) or text.lower() in feature.name.lower())
        and feature.code not in taken
    ]
    return [*found, *programs][:SHOWN]


def colleagues(of: Extension) -> list[Found]:
    """Whom one calls and is called by, the latest first, and then others by their numbers."""
    domain = f"@{of.domain.name}"
    known: dict[str, None] = {}
    for pair in calls_of(of).values_list("caller", "called")[:LOOKED_AT]:
        for party in pair:
            known[party.removesuffix(domain)] = None
    known.pop(of.number, None)
    numbers = list(known)[:COLLEAGUES]
    places = [When(number=number, then=Value(at)) for at, number in enumerate(numbers)]
    last = Value(len(numbers))
    latest = Case(*places, default=last) if places else last
    return _found(_others(of).annotate(latest=latest).order_by("latest", "number")[:COLLEAGUES])


def _others(of: Extension) -> QuerySet[Extension]:
    return Extension.objects.filter(domain=of.domain, enabled=True).exclude(pk=of.pk)


def _found(extensions: QuerySet[Extension]) -> list[Found]:
    rows = list(extensions.select_related("domain"))
    states = presence_of(row.aor for row in rows)
    return [Found(row.number, row.name, states[row.aor]) for row in rows]
