"""Rows that a form in the admin only points to: chosen there, not changed or deleted by a slip."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


class OnlyChosen:
    """Goes before the admin's own class; `only_chosen` names the fields."""

    only_chosen: tuple[str, ...] = ()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if field is not None and db_field.name in self.only_chosen:
            wrapper = field.widget
            wrapper.can_change_related = wrapper.can_delete_related = False
            wrapper.can_view_related = False
        return field
