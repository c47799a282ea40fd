"""Messages that wait in the admin, to look at: the engine alone writes them."""

from __future__ import annotations

from django.contrib import admin

from pbx.pager.models import KeptMessage
from pbx.read_only import ReadOnly


@admin.register(KeptMessage)
class KeptMessageAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("recipient", "sender", "sent_at", "expires_at", "content_type")
    search_fields = ("recipient", "sender", "sender_name")
    search_help_text = "Recipient or sender"
    ordering = ("recipient", "sent_at")
    empty_value_display = "–"
