"""Subscriptions in the admin, to look at: the engine alone writes them."""

from __future__ import annotations

from django.contrib import admin

from pbx.read_only import ReadOnly
from pbx.subscriptions.models import Subscription


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("subscriber", "resource", "package", "received", "expires_at", "user_agent")
    list_filter = ("package", "transport")
    search_fields = ("subscriber", "resource", "received", "user_agent")
    search_help_text = "Who watches, who is watched, source or user agent"
    ordering = ("subscriber", "resource", "package")
    empty_value_display = "–"
