"""Which people may see the web side; from which networks they may is pbx.admission's business.

Everything needs a log-in and the group Operator (or superuser): `operator_required` guards a page,
`may_operate` a socket. A one-time password opens nothing but the page that replaces it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from pbx.directory.actions import OPERATOR
from pbx.directory.models import Person

P = ParamSpec("P")
GetResponse = Callable[[HttpRequest], HttpResponseBase]


def may_operate(person: Person | AnonymousUser) -> bool:
    """Tell whether a person may see the dashboard: a superuser, or one of the group Operator."""
    if not person.is_authenticated or not person.is_active:
        return False
    return person.is_superuser or person.groups.filter(name=OPERATOR).exists()


def operator_required(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Guard a page: strangers go to the log-in, people without rights get a page that says so.

    The first page of somebody who has no rights but an extension is My phone.
    A script that asks for a piece of a page (HX-Request) gets a bare 401 and reloads the page.
    """

    @functools.wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        wants_piece = "HX-Request" in request.headers
        if not request.user.is_authenticated:
            if wants_piece:
                return HttpResponse(status=401, headers={"HX-Refresh": "true"})
            return redirect_to_login(request.get_full_path())
        if not may_operate(request.user):
            if wants_piece:
                return HttpResponse(status=403)
            if request.path == reverse("live") and _has_phone(request.user):
                return redirect("webphone")
            return render(request, "dashboard/no_rights.html", status=403)
        return view(request, *args, **kwargs)

    return guarded


def _has_phone(person: Person) -> bool:
    return person.extensions.filter(enabled=True).exists()


_FOR_MACHINES = ("/healthz", "/healthz/web", "/metrics")
"""Answered to nobody in particular, and while the database that knows people is away."""


class PasswordChangeMiddleware:
    """Lets somebody with a one-time password do nothing but change it, or log out."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path in _FOR_MACHINES:
            return self._get_response(request)
        person = request.user
        allowed = (reverse("password"), reverse("logout"))
        if (
            person.is_authenticated
            and getattr(person, "must_change_password", False)
            and request.path not in allowed
        ):
            if "HX-Request" in request.headers:
                return HttpResponse(status=401, headers={"HX-Refresh": "true"})
            return redirect("password")
        return self._get_response(request)
