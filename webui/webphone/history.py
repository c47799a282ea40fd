"""The last calls of one extension, as its phone shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Q, QuerySet

from pbx.calls.models import Call
from pbx.directory.models import Extension
from webui.dashboard.parties import Directory, Party, split_address
from webui.dashboard.states import State, state_of_call

ROWS: Final = 25


@dataclass(frozen=True, slots=True)
class PastCall:
    """One call as the extension's owner saw it; `dial` is what calls the other party back."""

    call: Call
    outgoing: bool
    other: Party
    dial: str
    state: State


def calls_of(extension: Extension) -> QuerySet[Call]:
    """Those that it made, was called by or answered, the newest first. The log names who was called
    in the caller's own domain by the number alone."""
    aor, domain = extension.aor, extension.domain.name
    by_number = Q(called=extension.number, domain=domain)
    return Call.objects.filter(Q(caller=aor) | Q(called=aor) | by_number | Q(answered_by=aor))


def last_calls(extension: Extension) -> list[PastCall]:
    """The newest first, without those that are still going on."""
    aor = extension.aor
    calls = list(calls_of(extension).filter(state="ended").defer("tags", "decision")[:ROWS])
    directory = Directory.of([party for call in calls for party in (call.caller, call.called)])
    return [_past_call(call, aor, extension.domain.name, directory) for call in calls]


def _past_call(call: Call, aor: str, domain: str, directory: Directory) -> PastCall:
    outgoing = call.caller == aor
    address = call.called if outgoing else call.caller
    number, host = split_address(address)
    return PastCall(
        call=call,
        outgoing=outgoing,
        other=directory.party(address, domain, "" if outgoing else call.caller_name),
        dial=number if host in ("", domain) else f"{number}@{host}",
        state=state_of_call(call.state, call.result),
    )
