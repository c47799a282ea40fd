"""Log-in, log-out and the password of whoever is logged in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import LoginView, PasswordChangeView, redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from webui.dashboard.forms import LogInForm, NewPasswordForm


class LogIn(LoginView):
    template_name = "dashboard/login.html"
    form_class = LogInForm
    redirect_authenticated_user = True


class ChangePassword(PasswordChangeView):
    """A new password; after it the one-time password's duty is done."""

    template_name = "dashboard/password.html"
    form_class = NewPasswordForm
    success_url = reverse_lazy("live")


@require_safe
@never_cache
def administration_door(request: HttpRequest) -> HttpResponse:
    """Where the admin sends whom it does not let in: strangers log in, others have no right to it.

    Sending somebody who is logged in to the log-in would lead back here, over and over.
    """
    if request.user.is_authenticated:
        return render(request, "403.html", status=403)
    return redirect_to_login(request.GET.get(REDIRECT_FIELD_NAME, "/"), reverse("login"))


def locked_out(
    request: HttpRequest, credentials: dict[str, Any], *args: Any, **kwargs: Any
) -> HttpResponse:
    """Axes' answer after too many wrong passwords (settings.AXES_LOCKOUT_CALLABLE)."""
    minutes = round(settings.AXES_COOLOFF_TIME * 60)
    return render(request, "dashboard/locked_out.html", {"minutes": minutes}, status=429)
