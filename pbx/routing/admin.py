"""Routing rules in the admin, in the order in which they are tried."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import Max, QuerySet
from django.http import HttpRequest

from pbx.chosen import OnlyChosen
from pbx.directory.models import Domain
from pbx.routing import actions
from pbx.routing.forms import TargetFormSet
from pbx.routing.models import Rule, Target


class TargetInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Target
    formset = TargetFormSet
    extra = 1
    fields = ("position", "destination")
    verbose_name_plural = "targets: numbers, addresses (1001@pbx.example) or SIP URIs, in order"


_LABELS: Final = {
    "position": "Order",
    "called": "Called number",
    "action": "What happens",
    "strategy": "They ring",
    "timeout": "Ring for",
    "follow_redirects": "Follow a phone that points elsewhere",
    "status": "SIP status",
    "reason": "Words on the caller's phone",
}
_HELP: Final = {
    "name": "Shown in the call log as the reason why a call went there.",
    "position": "The rule with the lowest number is tried first; the first that matches decides.",
    "enabled": "Switched off, the rule is passed over.",
    "called": "A number (1999), numbers that begin alike (19*), all numbers (*) or a regular "
    "expression (/^19(\\d\\d)$/).",
    "timeout": "Seconds; one after the other, each target rings that long.",
    "follow_redirects": "If a target answers with another address, ring that address.",
    "status": "480: not available now. 486: busy. 603: declined.",
    "reason": "Such as “Closed today”. Empty: the usual words for the status.",
}


@admin.register(Rule)
class RuleAdmin(OnlyChosen, admin.ModelAdmin):  # type: ignore[type-arg]
    only_chosen = ("domain",)
    inlines = (TargetInline,)
    list_display = ("name", "position", "called", "action", "leads_to", "enabled", "domain")
    list_editable = ("position",)
    list_filter = ("enabled", "action", "domain")
    list_select_related = ("domain",)
    search_fields = ("name", "called", "targets__destination")
    search_help_text = "Name, pattern or target"
    ordering = ("position", "id")
    sortable_by = ("name", "position")
    actions = ("enable", "disable")
    list_per_page = 100
    fieldsets = (
        (None, {"fields": ("name", "domain", "position", "enabled", "called", "action")}),
        ("Ring the targets", {"fields": ("strategy", "timeout", "follow_redirects")}),
        ("Reject", {"fields": ("status", "reason")}),
    )

    def get_form(
        self, request: HttpRequest, obj: Rule | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        wording = {"labels": _LABELS, "help_texts": _HELP}
        return super().get_form(request, obj, change=change, **wording, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        return super().get_queryset(request).prefetch_related("targets")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        default = Domain.objects.filter(is_default=True).first()
        if default is not None:
            initial.setdefault("domain", default.pk)
        last = Rule.objects.aggregate(last=Max("position"))["last"]
        initial.setdefault("position", 0 if last is None else last + 1)
        return initial

    @admin.display(description="leads to")
    def leads_to(self, rule: Rule) -> str:
        if rule.action == Rule.Action.REJECT:
            return f"{rule.status} {rule.reason}".strip()
        return ", ".join(target.destination for target in rule.targets.all()) or "–"

    @admin.action(description="Enable selected rules", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        count = actions.enable_rules(queryset, True)
        self.message_user(request, f"{count} rules enabled.", messages.SUCCESS)

    @admin.action(description="Disable selected rules", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        count = actions.enable_rules(queryset, False)
        self.message_user(request, f"{count} rules disabled.", messages.SUCCESS)
