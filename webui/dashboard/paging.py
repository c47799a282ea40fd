"""Pages of long tables by the last row seen, so that page 1,000 costs what page 1 costs.

No OFFSET and no COUNT: a cursor is the key of a row (`newer` or `older` in the query string), and
one row more than is shown tells whether there is another page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Self, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet

M = TypeVar("M", bound=Model)

_JOINT: Final = "~"  # in no date, number or UUID


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """`rows` in order; `previous` and `next` are query strings' cursors, "" at the ends."""

    rows: list[M]
    previous: str
    next: str

    @classmethod
    def read(
        cls, queryset: QuerySet[M], key: tuple[str, str], size: int, query: Mapping[str, str]
    ) -> Self:
        """Read the page that `query` ("after" or "before" with a cursor) asks for, else the first.

        `key` names the two fields that order the rows, the second unique; "-" before both turns
        the order. A cursor that makes no sense gives the first page.
        """
        descending = key[0].startswith("-")
        fields = (key[0].lstrip("-"), key[1].lstrip("-"))
        backward = "before" in query
        cursor = _parse(queryset.model, fields, query.get("before") or query.get("after") or "")
        if cursor is None:
            backward = False
        else:
            queryset = queryset.filter(_beyond(fields, cursor, less=descending != backward))
        sign = "-" if descending != backward else ""
        rows = list(queryset.order_by(*(sign + field for field in fields))[: size + 1])
        more = len(rows) > size
        rows = rows[:size]
        if backward:
            rows.reverse()
        has_previous = more if backward else cursor is not None
        has_next = (cursor is not None) if backward else more
        return cls(
            rows=rows,
            previous=_cursor(rows[0], fields) if rows and has_previous else "",
            next=_cursor(rows[-1], fields) if rows and has_next else "",
        )


def _beyond(fields: tuple[str, str], cursor: tuple[Any, Any], *, less: bool) -> Q:
    first, second = fields
    relation = "lt" if less else "gt"
    # The first condition repeats what the others imply: it is the one an index range can use.
    return Q(**{f"{first}__{relation}e": cursor[0]}) & (
        Q(**{f"{first}__{relation}": cursor[0]})
        | Q(**{first: cursor[0], f"{second}__{relation}": cursor[1]})
    )


def _cursor(row: Model, fields: tuple[str, str]) -> str:
    values = (getattr(row, field) for field in fields)
    return _JOINT.join(v.isoformat() if hasattr(v, "isoformat") else str(v) for v in values)


def _parse(model: type[Model], fields: tuple[str, str], text: str) -> tuple[Any, Any] | None:
    first, joint, second = text.partition(_JOINT)
    if not joint:
        return None
    try:
        return _value(model, fields[0], first), _value(model, fields[1], second)
    except (ValidationError, ValueError):
        return None


def _value(model: type[Model], name: str, text: str) -> Any:
    field = model._meta.get_field(name)
    assert isinstance(field, Field), f"{name} is a relation, which orders nothing"
    return field.to_python(text)
