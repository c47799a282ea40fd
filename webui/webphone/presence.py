"""Who can be reached now: what the engine wrote of phones and calls, as a colleague may see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from django.db.models import Q
from django.utils import timezone

from pbx.calls.models import Call, Leg
from pbx.registrations.models import Binding
from sipengine import api
from webui.dashboard.states import State

FREE: Final = State("Free", "circle-check", "ok", quiet=True)
RINGING: Final = State("Ringing", "bell-ringing", "ring")
TALKING: Final = State("On a call", "phone-call", "info")
AWAY: Final = State("Away", "plug-connected-x", "mute", quiet=True)


def presence_of(aors: Iterable[str]) -> Mapping[str, State]:
    """The state of each of these extensions; whoever has no phone registered is away."""
    aors = list(aors)
    registered = set(
        Binding.objects.filter(
            aor__in=aors, expires_at__gt=timezone.now(), unreachable_since=None
        ).values_list("aor", flat=True)
    )
    spellings = {name: aor for aor in aors for name in (aor, f"sip:{aor}", aor.partition("@")[0])}
    names = list(spellings)
    going_on = ~Q(state=api.STATE_ENDED)  # as the partial index `calls_going_on` has it
    calls = Call.objects.filter(going_on, Q(caller__in=names) | Q(answered_by__in=names))
    talking = {
        spellings[name]
        for pair in calls.values_list("caller", "answered_by")
        for name in pair
        if name in spellings
    }
    ringing = {
        spellings[target]
        for target in Leg.objects.filter(
            ~Q(call__state=api.STATE_ENDED), result=api.STATE_RINGING, target__in=names
        ).values_list("target", flat=True)
    }

    def state(aor: str) -> State:
        if aor in talking:
            return TALKING
        if aor not in registered:
            return AWAY
        return RINGING if aor in ringing else FREE

    return {aor: state(aor) for aor in aors}
