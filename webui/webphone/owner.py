"""Whose phone a page is: the extension of the person who is logged in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render

from pbx.directory.models import Extension, Person

P = ParamSpec("P")


def extension_of(person: Person | AnonymousUser) -> Extension | None:
    """The person's extension that is in use: of several the one of the default domain with the
    first number."""
    if not person.is_authenticated or not person.is_active:
        return None
    return (
        person.extensions.filter(enabled=True)
        .select_related("domain")
        .order_by("-domain__is_default", "number")
        .first()
    )


def for_phone_page(
    view: Callable[Concatenate[HttpRequest, Extension, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Guard the page: strangers log in first, who has no extension is told what to do about it."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        extension = extension_of(request.user)
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
        extension = extension_of(request.user)
        if extension is None:
            return JsonResponse({"error": "You have no extension any more."}, status=403)
        return view(request, extension, *args, **kwargs)

    return guarded
