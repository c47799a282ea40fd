"""Registrations in the admin, to look at: the engine alone writes them."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from pbx.registrations.models import Binding


@admin.register(Binding)
class BindingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = (
        "aor",
        "contact",
        "received",
        "transport",
        "expires_at",
        "unreachable_since",
        "user_agent",
    )
    list_filter = ("transport",)
    search_fields = ("aor", "contact", "received", "user_agent")
    search_help_text = "Address, contact, source or user agent"
    ordering = ("aor", "registered_at")
    empty_value_display = "–"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Binding | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Binding | None = None) -> bool:
        return False
