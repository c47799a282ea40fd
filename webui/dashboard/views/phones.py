"""Phones: every extension, online or not, and where its phones are."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from webui.access import operator_required
from webui.dashboard.extension_list import OFFLINE, ONLINE, extension_rows, search_extensions
from webui.dashboard.paging import Page

_ROWS: Final = 50
_SEARCH_LIMIT: Final = 100  # characters; names are no longer


@require_safe
@never_cache
@operator_required
def phones(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:_SEARCH_LIMIT]
    presence = request.GET.get("presence", "")
    now = timezone.now()
    found = Page.read(
        search_extensions(text, presence), ("number", "id"), _ROWS, request.GET.dict()
    )
    piece = "HX-Request" in request.headers
    return render(
        request,
        "dashboard/_phone_list.html" if piece else "dashboard/phones.html",
        {
            "rows": extension_rows(found.rows, now),
            "previous": found.previous,
            "next": found.next,
            "text": text,
            "presence": presence if presence in (ONLINE, OFFLINE) else "",
            "query": urlencode({"q": text, "presence": presence}),
            "now": now,
            "page": "phones",
        },
    )
