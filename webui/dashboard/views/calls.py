"""The call log, its CSV, and one call."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pbx.calls.models import Call
from webui.access import operator_required
from webui.dashboard import call_csv
from webui.dashboard.call_filter import CallFilter
from webui.dashboard.call_ladder import ladder_of_call
from webui.dashboard.call_story import Story, seconds_between, tell
from webui.dashboard.live import today
from webui.dashboard.paging import Page
from webui.dashboard.parties import Directory, Party
from webui.dashboard.patience import TooSlow, limited_queries
from webui.dashboard.states import State, state_of_call

_ROWS: Final = 50


@dataclass(frozen=True, slots=True)
class LogRow:
    call: Call
    caller: Party
    callee: Party
    state: State
    rang: float | None
    talked: float | None


@require_safe
@never_cache
@operator_required
def call_log(request: HttpRequest) -> HttpResponse:
    """The log; a script that filters asks for the list alone."""
    context = _log_context(request)
    if "HX-Request" in request.headers:
        return render(request, "dashboard/_call_list.html", context)
    rows = context["rows"]
    story = tell(rows[0].call) if rows else None
    return render(request, "dashboard/calls.html", {**context, "story": story, "today": today()})


@require_safe
@operator_required
def call_log_csv(request: HttpRequest) -> StreamingHttpResponse:
    calls = CallFilter(request.GET, Call.objects.all()).qs
    name = f"calls-{timezone.localtime():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        call_csv.stream(calls, timezone.get_current_timezone()),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_safe
@never_cache
@operator_required
def call(request: HttpRequest, call_id: uuid.UUID) -> HttpResponse:
    return render(request, "dashboard/call.html", {"story": _story(call_id), "page": "calls"})


@require_safe
@never_cache
@operator_required
def call_pane(request: HttpRequest, call_id: uuid.UUID) -> HttpResponse:
    """One call, for the pane beside the log."""
    return render(request, "dashboard/_call.html", {"story": _story(call_id), "in_pane": True})


@require_safe
@never_cache
@operator_required
def call_messages(request: HttpRequest, call_id: uuid.UUID) -> HttpResponse:
    """The SIP messages of one call as a ladder; a script asks for the ladder alone."""
    told = get_object_or_404(Call.objects.prefetch_related("legs"), pk=call_id)
    context = {"call": told, "ladder": ladder_of_call(told), "page": "calls"}
    alone = "HX-Request" in request.headers
    return render(request, f"dashboard/{'_' if alone else ''}messages.html", context)


def _story(call_id: uuid.UUID) -> Story:
    return tell(get_object_or_404(Call.objects.prefetch_related("legs"), pk=call_id))


def _log_context(request: HttpRequest) -> dict[str, Any]:
    log = CallFilter(request.GET, Call.objects.all())
    context = {
        "filter": log,
        "form": log.form,
        "chips": log.chips,
        "query": log.query_string(),
        "page": "calls",
        "now": timezone.localtime(),
    }
    try:
        with limited_queries():
            found = Page.read(log.qs, ("-started", "-id"), _ROWS, request.GET.dict())
            rows = _rows(found.rows)
    except TooSlow:
        return {**context, "rows": [], "too_slow": True}
    return {**context, "rows": rows, "newer": found.previous, "older": found.next}


def _rows(calls: list[Call]) -> list[LogRow]:
    directory = Directory.of(
        [party for call in calls for party in (call.caller, call.called, call.answered_by)]
    )
    return [
        LogRow(
            call=call,
            caller=directory.party(call.caller, call.domain, call.caller_name),
            callee=directory.party(call.called, call.domain),
            state=state_of_call(call.state, call.result),
            rang=seconds_between(call.ringing, call.answered or call.ended),
            talked=seconds_between(call.answered, call.ended),
        )
        for call in calls
    ]
