"""One call told as a list of moments: arrival, rule, each phone, the end."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from pbx.calls.models import Call, Leg
from pbx.calls.quality import Quality, quality_of
from sipengine import api
from webui.dashboard import states
from webui.dashboard.parties import Directory, Party
from webui.dashboard.states import State

_ENDED_BY: Final = {"caller": "The caller hangs up", "callee": "The called person hangs up"}


@dataclass(frozen=True, slots=True)
class Moment:
    offset: str
    icon: str
    tone: str
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Story:
    """What a call's page shows. Durations are seconds, None where there was none."""

    call: Call
    state: State
    caller: Party
    callee: Party
    sentence: str
    rang: float | None
    talked: float | None
    moments: list[Moment]
    legs: list[Leg]
    quality: Quality | None


def tell(call: Call) -> Story:
    legs = list(call.legs.all())
    directory = Directory.of(
        [call.caller, call.called, call.answered_by, *(leg.target for leg in legs)]
    )
    caller = directory.party(call.caller, call.domain, call.caller_name)
    callee = directory.party(call.called, call.domain)
    state = states.state_of_call(call.state, call.result)
    return Story(
        call=call,
        state=state,
        caller=caller,
        callee=callee,
        sentence=call.reason or f"{caller.title} calls {callee.title}.",
        rang=seconds_between(call.ringing, call.answered or call.ended),
        talked=seconds_between(call.answered, call.ended),
        moments=_moments(call, legs, directory, caller, callee),
        legs=legs,
        quality=quality_of(call.quality),
    )


def seconds_between(start: dt.datetime | None, end: dt.datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def _moments(
    call: Call, legs: list[Leg], directory: Directory, caller: Party, callee: Party
) -> list[Moment]:
    device = f"{call.caller_device}. " if call.caller_device else ""
    told: list[tuple[dt.datetime, str, str, str, str]] = [
        (
            call.started,
            "phone-incoming",
            "info",
            "Call arrives",
            f"{device}{_said(caller)} calls {_said(callee)}.",
        )
    ]
    if call.rule:
        told.append((call.started, "route", "mute", f"Rule “{call.rule}” decides", ""))
    for leg in legs:
        told += _of_leg(leg, directory.party(leg.target, call.domain))
    if call.ended and call.answered:
        title = _ENDED_BY.get(call.hangup_by, "The call ends")
        told.append((call.ended, "phone-end", "mute", title, ""))
    elif call.ended:
        end = states.state_of_call(call.state, call.result)
        told.append((call.ended, end.icon, end.tone, end.label, _status(call.sip_status)))
    # Stable: of two things at the same instant, cause stays before effect.
    told.sort(key=lambda moment: moment[0])
    return [
        Moment(_offset((at - call.started).total_seconds()), icon, tone, title, detail)
        for at, icon, tone, title, detail in told
    ]


def _of_leg(leg: Leg, party: Party) -> list[tuple[dt.datetime, str, str, str, str]]:
    where = ", ".join(filter(None, (leg.device, leg.contact)))
    told = []
    if leg.ringing:
        ring = states.CALL_STATES[api.STATE_RINGING]
        told.append((leg.ringing, ring.icon, ring.tone, f"{_said(party)} rings", where))
    else:
        told.append((leg.started, "phone-outgoing", "info", f"{_said(party)} is tried", where))
    if leg.answered:
        told.append((leg.answered, "phone-check", "ok", f"{_said(party)} answers", leg.device))
    elif leg.ended and leg.result:
        end = states.LEG_RESULTS.get(leg.result, states.UNKNOWN)
        detail = _status(leg.sip_status) if leg.result not in ("elsewhere", "cancelled") else ""
        told.append((leg.ended, end.icon, end.tone, f"{_said(party)}: {end.label.lower()}", detail))
    return told


def _said(party: Party) -> str:
    return f"{party.title} ({party.detail})" if party.detail else party.title


def _status(sip_status: int) -> str:
    return f"SIP status {sip_status}." if sip_status >= 300 else ""


def _offset(seconds: float) -> str:
    if seconds < 60:
        return f"{max(seconds, 0):.2f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
