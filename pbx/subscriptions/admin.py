"""Subscriptions in the admin, to look at: the engine alone writes them."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from pbx.subscriptions.models import Subscription


@admin.register(Subscription)
class SubscriptionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("subscriber", "resource", "package", "received", "expires_at", "user_agent")
    list_filter = ("package", "transport")
    search_fields = ("subscriber", "resource", "received", "user_agent")
    search_help_text = "Who watches, who is watched, source or user agent"
    ordering = ("subscriber", "resource", "package")
    empty_value_display = "–"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Subscription | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Subscription | None = None) -> bool:
        return False
