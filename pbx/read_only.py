"""Tables in the admin that are there to look at: the engine alone writes them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


class ReadOnly:
    """No add, no change, no delete, whoever asks. Goes before the admin's own class."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
