"""Log-ins with a wrong password: to see who is locked out, and to let somebody in sooner."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest


@admin.register(AccessAttempt)
class WrongLogInAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("username", "ip_address", "attempt_time", "wrong", "locked")
    list_display_links = None
    search_fields = ("username", "ip_address")
    search_help_text = "User name or address"
    ordering = ("-attempt_time",)
    empty_value_display = "–"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="wrong passwords", ordering="failures_since_start")
    def wrong(self, attempt: Any) -> int:
        return int(attempt.failures_since_start)

    @admin.display(description="locked", boolean=True)
    def locked(self, attempt: Any) -> bool:
        return int(attempt.failures_since_start) >= settings.AXES_FAILURE_LIMIT
