"""The Live page: calls now and registered phones."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from webui.access import operator_required
from webui.dashboard.live import read_live


@require_safe
@never_cache
@operator_required
def live(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/live.html", {"live": read_live(), "page": "live"})


@require_safe
@never_cache
@operator_required
def live_now(request: HttpRequest) -> HttpResponse:
    """The part of the page that changes; the script asks for it again and again."""
    return render(request, "dashboard/_live.html", {"live": read_live()})
