"""Filters of the call log: text, days, result, extension."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone

from pbx.calls.models import Call
from pbx.directory.models import Domain
from webui.dashboard import states
from webui.dashboard.parties import numbers_named

RESULT_CHOICES = [
    ("missed", "Missed (any reason)"),
    *((key, state.label) for key, state in states.RESULTS.items()),
]


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force, and the query string that is the same without it."""

    label: str
    without: str


class CallFilter(filters.FilterSet):
    """Reads the filters from a query string; `qs` is the log they leave, `chips` says them."""

    q = filters.CharFilter(
        method="by_text",
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "+49 30 or Mira"}),
    )
    first_day = filters.DateFilter(
        method="from_day", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    last_day = filters.DateFilter(
        method="until_day", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    result = filters.ChoiceFilter(
        method="by_result", choices=RESULT_CHOICES, empty_label="Any result"
    )
    extension = filters.CharFilter(
        method="by_extension",
        max_length=64,
        widget=forms.TextInput(attrs={"placeholder": "1001", "size": "8"}),
    )

    class Meta:
        model = Call
        fields: ClassVar[list[str]] = []

    def by_text(self, calls: QuerySet[Call], name: str, text: str) -> QuerySet[Call]:
        """Text that occurs in a number or name; spaces in a number do not matter."""
        found = Q()
        for wanted in {text, text.replace(" ", "")}:
            for column in ("caller", "called", "answered_by", "caller_name"):
                found |= Q(**{f"{column}__icontains": wanted})
        addresses = _addresses(numbers_named(text))
        return calls.filter(found | _concerns(addresses)) if addresses else calls.filter(found)

    def from_day(self, calls: QuerySet[Call], name: str, day: dt.date) -> QuerySet[Call]:
        return calls.filter(started__gte=_midnight(day))

    def until_day(self, calls: QuerySet[Call], name: str, day: dt.date) -> QuerySet[Call]:
        if day == dt.date.max:
            return calls
        return calls.filter(started__lt=_midnight(day + dt.timedelta(days=1)))

    def by_result(self, calls: QuerySet[Call], name: str, result: str) -> QuerySet[Call]:
        return calls.filter(result__in=list(states.MISSED) if result == "missed" else [result])

    def by_extension(self, calls: QuerySet[Call], name: str, number: str) -> QuerySet[Call]:
        """Calls that this extension made, was called for, or answered."""
        return calls.filter(_concerns(_addresses([number])))

    @property
    def chips(self) -> list[Chip]:
        said = {
            "q": "“{}”",
            "first_day": "from {}",
            "last_day": "until {}",
            "result": "{}",
            "extension": "extension {}",
        }
        cleaned: dict[str, Any] = self.form.cleaned_data if self.form.is_valid() else {}
        shown = {name: value for name, value in cleaned.items() if value}
        if "result" in shown:
            shown["result"] = dict(RESULT_CHOICES)[shown["result"]]
        for name in {"first_day", "last_day"} & shown.keys():
            shown[name] = f"{shown[name].day} {shown[name]:%b %Y}"
        return [
            Chip(said[name].format(value), self.query_string(without=name))
            for name, value in shown.items()
        ]

    def query_string(self, without: str = "") -> str:
        """The filters as a query string, without the one named and without any cursor."""
        data = self.data or {}
        kept = {n: data[n] for n in self.filters if n != without and data.get(n)}
        return urlencode(kept)


def _addresses(numbers: Iterable[str]) -> list[str]:
    """Every form in which the log may name an extension of ours."""
    domains = list(Domain.objects.values_list("name", flat=True))
    return [form for n in numbers for form in (n, *(f"{n}@{domain}" for domain in domains))]


def _concerns(addresses: list[str]) -> Q:
    return Q(caller__in=addresses) | Q(called__in=addresses) | Q(answered_by__in=addresses)


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))
