"""Registrations in the admin, to look at: the engine alone writes them."""

from __future__ import annotations

from django.contrib import admin

from pbx.read_only import ReadOnly
from pbx.registrations.models import Binding


@admin.register(Binding)
class BindingAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = (
        "extension",
        "contact",
        "transport",
        "expires_at",
        "unreachable_since",
        "phone",
    )
    list_filter = ("transport",)
    search_fields = ("aor", "contact", "received", "user_agent")
    search_help_text = "Address, contact, source or user agent"
    ordering = ("aor", "registered_at")
    empty_value_display = "–"

    @admin.display(description="extension", ordering="aor")
    def extension(self, binding: Binding) -> str:
        return binding.aor

    @admin.display(description="phone", ordering="user_agent")
    def phone(self, binding: Binding) -> str:
        return binding.user_agent
