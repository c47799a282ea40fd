"""The call log in the admin, to look at: the engine alone writes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from pbx.calls.listing import duration
from pbx.calls.models import Call, Leg
from pbx.read_only import ReadOnly


class ResultFilter(admin.AllValuesFieldListFilter):
    """The results that there are, in words; a call that goes on has none yet."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            words = str(choice["display"]).replace("_", " ")
            yield {**choice, "display": words or "goes on"}


class LegInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = Leg
    extra = 0
    fields = ("target", "contact", "device", "ringing", "answered", "ended", "sip_status", "result")


@admin.register(Call)
class CallAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    inlines = (LegInline,)
    list_display = (
        "started",
        "caller",
        "called",
        "answered_by",
        "result",
        "seconds",
        "reason",
    )
    list_filter = ("state", ("result", ResultFilter), "started")
    search_fields = ("caller", "called", "answered_by", "rule")
    search_help_text = "Caller, called number, who answered or rule"
    ordering = ("-started", "-id")
    # The log may have millions of rows; counting them all for each page would take seconds.
    show_full_result_count = False
    empty_value_display = "–"
    fields = (
        ("caller", "caller_name", "caller_device"),
        ("called", "answered_by", "answered_device"),
        ("started", "ringing", "answered", "ended"),
        ("state", "result", "sip_status", "hangup_by"),
        "reason",
        "rule",
        "tried",
        "call_ids",
    )

    @admin.display(description="seconds")
    def seconds(self, call: Call) -> str:
        talked = duration(call)
        return "–" if talked is None else f"{talked:.0f}"

    @admin.display(description="why it went there")
    def tried(self, call: Call) -> SafeString:
        return format_html_join("\n", "<div>{}</div>", ((line,) for line in call.decision))
