"""Extensions: a list with search; adding and changing happens in the admin."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from webui.access import operator_required
from webui.dashboard.extension_list import extension_rows, search_extensions
from webui.dashboard.paging import Page

_ROWS: Final = 50
_SEARCH_LIMIT: Final = 100  # characters; names are no longer


@require_safe
@never_cache
@operator_required
def extensions(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:_SEARCH_LIMIT]
    found = Page.read(search_extensions(text), ("number", "id"), _ROWS, request.GET.dict())
    piece = "HX-Request" in request.headers
    return render(
        request,
        "dashboard/_extension_list.html" if piece else "dashboard/extensions.html",
        {
            "rows": extension_rows(found.rows, timezone.now()),
            "previous": found.previous,
            "next": found.next,
            "text": text,
            "query": urlencode({"q": text}),
            "page": "extensions",
            "may_add": request.user.is_staff and request.user.has_perm("directory.add_extension"),
            "may_change": request.user.is_staff
            and request.user.has_perm("directory.change_extension"),
        },
    )
