"""Whose phone a page is: the extension of the person who is logged in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, Final, ParamSpec

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render

from pbx.directory.models import Extension, Person

P = ParamSpec("P")

MOST: Final = 50
"""Extensions that one person may choose among."""


CHOSEN: Final = "phone_extension"
"""The cookie by which a browser remembers which extension it is; it opens nothing that is another's."""


def extensions_of(person: Person | AnonymousUser) -> list[Extension]:
    """The person's extensions that are in use: those of the default domain first, by number."""
    if not person.is_authenticated or not person.is_active:
        return []
    return list(
        person.extensions.filter(enabled=True)
        .select_related("domain")
        .order_by("-domain__is_default", "number")[:MOST]
    )


def extension_of(person: Person | AnonymousUser, chosen: str = "") -> Extension | None:
    """The one that a page is: of several the chosen one (its id), else the first."""
    mine = extensions_of(person)
    return next((each for each in mine if str(each.pk) == chosen), mine[0] if mine else None)


def _extension(request: HttpRequest) -> Extension | None:
    return extension_of(request.user, request.COOKIES.get(CHOSEN, ""))


def for_phone_page(
    view: Callable[Concatenate[HttpRequest, Extension, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Guard the page: strangers log in first, who has no extension is told what to do about it."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        extension = _extension(request)
        if extension is None:
            return render(request, "webphone/no_extension.html", status=403)
        return view(request, extension, *args, **kwargs)

    return guarded


def for_phone_script(
    view: Callable[Concatenate[HttpRequest, Extension, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Guard what the page's script asks for: 401 to strangers, 403 without an extension."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return JsonResponse({"error": "You are not logged in any more."}, status=401)
        extension = _extension(request)
        if extension is None:
            return JsonResponse({"error": "You have no extension any more."}, status=403)
        return view(request, extension, *args, **kwargs)

    return guarded
