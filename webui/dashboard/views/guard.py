"""Guard: who is shut out and why, and the button that lets one in again."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from pbx.guard.actions import lift
from pbx.guard.models import Ban
from webui.access import operator_required
from webui.dashboard.guard_list import read_guard


@require_safe
@never_cache
@operator_required
def guard(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/guard.html", {**_shown(request), "page": "guard"})


@require_safe
@never_cache
@operator_required
def guard_now(request: HttpRequest) -> HttpResponse:
    """The part of the page that changes; the script asks for it again and again."""
    return render(request, "dashboard/_guard.html", _shown(request))


@require_POST
@never_cache
@operator_required
def lift_ban(request: HttpRequest, ban_id: UUID) -> HttpResponse:
    if not request.user.has_perm("guard.lift_ban"):
        return render(request, "dashboard/no_rights.html", status=403)
    ban = get_object_or_404(Ban, pk=ban_id)
    if lift(ban, request.user.get_username()):
        messages.success(request, f"{ban.source} is being let in.")
    else:
        messages.info(request, f"{ban.source} was not shut out any more.")
    return redirect("guard")


def _shown(request: HttpRequest) -> dict[str, object]:
    return {"guard": read_guard(), "may_lift": request.user.has_perm("guard.lift_ban")}
