"""Bans in the admin, to look at and to search: the page Guard lifts them."""

from __future__ import annotations

from django.contrib import admin

from pbx.guard.models import Ban
from pbx.read_only import ReadOnly


@admin.register(Ban)
class BanAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("source", "reason", "since", "until", "dropped", "lifted_at", "lifted_by")
    list_filter = ("kind", "level")
    search_fields = ("source", "reason")
    search_help_text = "Address or reason"
    date_hierarchy = "since"
    empty_value_display = "–"
