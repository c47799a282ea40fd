"""The web phone: its page, its credential, its history and its directory."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from pbx.directory.models import Extension
from pbx.pagephones.actions import credential_for
from sipengine.page_credentials import LIFE_S, page_key
from webui.access import may_operate
from webui.webphone.history import last_calls
from webui.webphone.owner import extensions_of, for_phone_page, for_phone_script
from webui.webphone.people import colleagues, find


@require_safe
@never_cache
@for_phone_page
def phone(request: HttpRequest, extension: Extension) -> HttpResponse:
    return render(
        request,
        "webphone/phone.html",
        {
            "extension": extension,
            "mine": extensions_of(request.user),
            "past_calls": last_calls(extension),
            "people": colleagues(extension),
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
    person, session = request.user.pk, request.session.session_key
    if person is None or session is None:
        raise PermissionDenied("a page belongs to a log-in session")
    given = credential_for(extension, person, session, page_key(settings.SECRET_KEY))
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
    found = find(request.GET.get("q", ""), extension)
    return JsonResponse({"people": [each.as_json() for each in found]})


@require_safe
@never_cache
@for_phone_script
def neighbours(request: HttpRequest, extension: Extension) -> HttpResponse:
    return render(request, "webphone/_people.html", {"people": colleagues(extension)})


_KEYS = [
    ("1", ""), ("2", "abc"), ("3", "def"),
    ("4", "ghi"), ("5", "jkl"), ("6", "mno"),
    ("7", "pqrs"), ("8", "tuv"), ("9", "wxyz"),
    ("*", ""), ("0", "+"), ("#", ""),
]  # fmt: skip
