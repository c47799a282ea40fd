"""Messages that wait in the admin, to look at: the engine alone writes them."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from pbx.pager.models import KeptMessage


@admin.register(KeptMessage)
class KeptMessageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("recipient", "sender", "sent_at", "expires_at", "content_type")
    search_fields = ("recipient", "sender", "sender_name")
    search_help_text = "Recipient or sender"
    ordering = ("recipient", "sent_at")
    empty_value_display = "–"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: KeptMessage | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: KeptMessage | None = None) -> bool:
        return False
