"""The web phone: its page, its credential, its history and its directory."""

from __future__ import annotations

import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from pbx.directory.models import Extension
from sipengine.page_credentials import LIFE_S, issue, page_key
from webui.access import may_operate
from webui.webphone.history import last_calls
from webui.webphone.owner import for_phone_page, for_phone_script
from webui.webphone.people import find


@require_safe
@never_cache
@for_phone_page
def phone(request: HttpRequest, extension: Extension) -> HttpResponse:
    return render(
        request,
        "webphone/phone.html",
        {
            "extension": extension,
            "past_calls": last_calls(extension),
            "now": timezone.localtime(),
            "https_port": settings.ENVIRONMENT.https_port,
            "page": "webphone",
            "phone_only": not may_operate(request.user),
            "keys": _KEYS,
        },
    )


@require_POST
@never_cache
@for_phone_script
def credential(request: HttpRequest, extension: Extension) -> HttpResponse:
    """What the page registers with for the next minutes; asked for again before it ends."""
    given = issue(
        extension.number, extension.domain.name, page_key(settings.SECRET_KEY), time.time()
    )
    return JsonResponse(
        {
            "uri": f"sip:{extension.aor}",
            "name": extension.name,
            "username": given.username,
            "realm": given.realm,
            "ha1": given.ha1,
            "seconds": LIFE_S,
        }
    )


@require_safe
@never_cache
@for_phone_script
def history(request: HttpRequest, extension: Extension) -> HttpResponse:
    return render(
        request,
        "webphone/_history.html",
        {"past_calls": last_calls(extension), "now": timezone.localtime()},
    )


@require_safe
@never_cache
@for_phone_script
def people(request: HttpRequest, extension: Extension) -> HttpResponse:
    return JsonResponse({"people": find(request.GET.get("q", ""), extension)})


_KEYS = [
    ("1", ""), ("2", "abc"), ("3", "def"),
    ("4", "ghi"), ("5", "jkl"), ("6", "mno"),
    ("7", "pqrs"), ("8", "tuv"), ("9", "wxyz"),
    ("*", ""), ("0", "+"), ("#", ""),
]  # fmt: skip
