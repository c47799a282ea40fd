"""Whom one can call by name: the extensions of the same domain."""

from __future__ import annotations

from typing import Final, TypedDict

from django.db.models import Q

from pbx.directory.models import Extension

SHOWN: Final = 8
TEXT_LIMIT: Final = 100  # characters; names are hardly longer


class Found(TypedDict):
    number: str
    name: str


def find(text: str, of: Extension) -> list[Found]:
    """Extensions whose number begins with `text` or whose name has it; nobody for no text."""
    text = text.strip()[:TEXT_LIMIT]
    if not text:
        return []
    rows = (
        Extension.objects.filter(domain=of.domain, enabled=True)
        .filter(Q(number__startswith=text) | Q(name__icontains=text))
        .exclude(pk=of.pk)
        .order_by("number")
        .values_list("number", "name")[:SHOWN]
    )
    return [{"number": number, "name": name} for number, name in rows]
