"""What the Live page shows, read from the tables that the engine writes."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from pbx.calls.models import Call
from pbx.directory.models import Extension
from pbx.enginelink.engines import Engines
from pbx.registrations.models import Binding
from sipengine import api
from webui.dashboard import states
from webui.dashboard.figures import Figure
from webui.dashboard.parties import Directory, Party
from webui.dashboard.states import State

CALLS_SHOWN: Final = 100
PHONES_SHOWN: Final = 25
"""More rows than these nobody reads at a glance; the pages Calls and Phones have them all."""

HEARTBEAT_LATE: Final = 15.0  # seconds; the engine reports every 5


@dataclass(frozen=True, slots=True)
class CallRow:
    id: str
    state: State
    is_ringing: bool
    caller: Party
    callee: Party
    since: dt.datetime
    rule: str


@dataclass(frozen=True, slots=True)
class PhoneRow:
    id: int
    aor: str
    party: Party
    state: State
    device: str
    transport: str
    address: str
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Today:
    total: int
    answered: int
    missed: dict[str, int]

    @property
    def missed_total(self) -> int:
        return sum(self.missed.values())

    @property
    def missed_words(self) -> str:
        """ "3 not answered, 1 busy", or "" if none was missed."""
        return ", ".join(f"{n} {states.MISSED[result]}" for result, n in self.missed.items())


@dataclass(frozen=True, slots=True)
class Live:
    """One moment of the Live page. `calls` and `phones` are cut off, the counts are whole."""

    now: dt.datetime
    engine_trouble: str
    calls: list[CallRow]
    calls_total: int
    calls_words: str
    phones: list[PhoneRow]
    online: int
    extensions: int
    nothing_to_register: bool
    """No phone is registered, for there is no extension yet: said at once, whatever was counted."""
    today: Today


def read_live() -> Live:
    now = timezone.now()
    by_state = Counter[str](
        dict(_going_on().values_list("state").order_by("state").annotate(n=Count("id")))
    )
    open_calls = list(_going_on().prefetch_related("legs").order_by("started", "id")[:CALLS_SHOWN])
    bindings = list(Binding.objects.filter(expires_at__gt=now).order_by("aor", "id")[:PHONES_SHOWN])
    directory = Directory.of(
        [party for call in open_calls for party in (call.caller, call.called, call.answered_by)]
        + [binding.aor for binding in bindings]
    )
    return Live(
        now=now,
        engine_trouble=engine_trouble(now),
        calls=[_call_row(call, directory) for call in open_calls],
        calls_total=by_state.total(),
        calls_words=_calls_words(by_state),
        phones=_phone_rows(bindings, open_calls, directory),
        online=_online_among(bindings),
        extensions=_extensions.read(),
        nothing_to_register=not bindings and not Extension.objects.exists(),
        today=today(),
    )


def today() -> Today:
    """Today's calls so far, in the current time zone."""
    zone = timezone.get_current_timezone_name()
    return _todays.setdefault(zone, Figure(_count_today)).read()


_DISK_FULL: Final = (
    "The server’s disk is full: phones cannot register until there is room on it. Then it goes on "
    "by itself."
)


_PROCESS_MISSING: Final = (
    "A part of the phone engine has not reported for a while. Some calls may not work until it is back; "
    "the system page tells which part."
)


def engine_trouble(now: dt.datetime) -> str:
    """A sentence when no engine has reported for 15 s or when its disk is full, else ""."""
    engines = Engines()
    first = engines.first
    if first is None:
        return (
            "The phone engine has not reported yet. If this does not go away within a minute, "
            "look at the system page."
        )
    age = (now - first.heartbeat_at).total_seconds()
    if age <= HEARTBEAT_LATE:
        if engines.count("journal_refuses_now"):
            return _DISK_FULL
        missing = engines.missing(now, HEARTBEAT_LATE)
        return _PROCESS_MISSING if missing else ""
    return (
        f"The phone engine has not reported for {duration_words(age)}. Calls may not work, and "
        "what you see below may be old."
    )


def duration_words(seconds: float) -> str:
    """ "40 seconds", "3 minutes", "5 hours", "2 days": rounded down, for sentences."""
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count = int(seconds // size)
        if count:
            return f"{count} {word}" if count == 1 else f"{count} {word}s"
    return "0 seconds"


def _going_on() -> QuerySet[Call]:
    # Written as the partial index `calls_going_on` has it, so that the log's size does not matter.
    return Call.objects.filter(~Q(state=api.STATE_ENDED))


def _call_row(call: Call, directory: Directory) -> CallRow:
    callee = directory.party(call.answered_by or call.called, call.domain)
    ringing = [leg for leg in call.legs.all() if leg.result == api.STATE_RINGING]
    if call.state == api.STATE_RINGING and len(ringing) > 1:
        callee = Party(callee.title, f"{callee.detail} · {len(ringing)} phones".lstrip(" ·"))
    return CallRow(
        id=str(call.id),
        state=states.state_of_call(call.state, call.result),
        is_ringing=call.state == api.STATE_RINGING,
        caller=directory.party(call.caller, call.domain, call.caller_name),
        callee=callee,
        since=call.answered or call.started,
        rule=call.rule,
    )


def _phone_rows(
    bindings: list[Binding], open_calls: list[Call], directory: Directory
) -> list[PhoneRow]:
    talking = {
        address
        for call in open_calls
        if call.state == api.STATE_TALKING
        for address in (call.caller, call.answered_by)
    }
    ringing = {
        leg.target
        for call in open_calls
        for leg in call.legs.all()
        if leg.result == api.STATE_RINGING
    }

    def state(binding: Binding) -> State:
        aor = binding.aor
        names = {aor, f"sip:{aor}", aor.partition("@")[0]}
        if names & talking:
            return states.PHONE_TALKING
        if binding.unreachable_since:
            return states.PHONE_SILENT
        return states.PHONE_RINGING if names & ringing else states.PHONE_ONLINE

    return [
        PhoneRow(
            id=binding.pk,
            aor=binding.aor,
            party=directory.party(binding.aor, binding.aor.rpartition("@")[2]),
            state=state(binding),
            device=binding.user_agent or "Unknown device",
            transport=binding.transport.upper(),
            address=binding.received,
            expires_at=binding.expires_at,
        )
        for binding in bindings
    ]


def _calls_words(by_state: Counter[str]) -> str:
    words = (
        (api.STATE_TALKING, "talking"),
        (api.STATE_RINGING, "ringing"),
        (api.STATE_TRYING, "calling"),
    )
    said = [f"{by_state[state]} {word}" for state, word in words if by_state[state]]
    return ", ".join(said) or "Nobody is calling"


def _count_today() -> Today:
    since = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = Call.objects.filter(started__gte=since).order_by("result").values_list("result")
    counts = dict(rows.annotate(n=Count("id")))
    return Today(
        total=sum(counts.values()),
        answered=counts.get("answered", 0),
        missed={result: counts[result] for result in states.MISSED if counts.get(result)},
    )


def _online_among(shown: list[Binding]) -> int:
    """Extensions online; counted from the rows while these are all, so that both say the same."""
    if len(shown) < PHONES_SHOWN:
        return len({binding.aor for binding in shown})
    return _online.read()


def _count_online() -> int:
    alive = Binding.objects.filter(expires_at__gt=timezone.now())
    return alive.order_by().values("aor").distinct().count()


_online: Final = Figure(_count_online)
_extensions: Final = Figure(lambda: Extension.objects.filter(enabled=True).count())
_todays: Final[dict[str, Figure[Today]]] = {}
"""One figure for each zone that readers live in: their days begin at different times. There are
some 600 zones, so this does not grow without bound."""
