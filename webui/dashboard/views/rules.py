"""Routing: the rules in the order in which they are tried; changing them happens in the admin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pbx.routing.models import Rule
from webui.access import operator_required
from webui.dashboard import states
from webui.dashboard.states import State

_MOST: Final = 500
"""A list in order has no pages: where a rule stands among the others is what one looks for."""
_SEARCH_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class RuleRow:
    rule: Rule
    state: State
    matches: str
    does: str


@require_safe
@never_cache
@operator_required
def routing(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:_SEARCH_LIMIT]
    rules = Rule.objects.select_related("domain").prefetch_related("targets")
    if text:
        rules = rules.filter(
            Q(name__icontains=text)
            | Q(called__icontains=text)
            | Q(targets__destination__icontains=text)
        ).distinct()
    found = list(rules.order_by("position", "id")[: _MOST + 1])
    piece = "HX-Request" in request.headers
    return render(
        request,
        "dashboard/_rule_list.html" if piece else "dashboard/routing.html",
        {
            "rows": [_row(rule) for rule in found[:_MOST]],
            "cut_off": len(found) > _MOST,
            "text": text,
            "page": "routing",
            "may_add": request.user.is_staff and request.user.has_perm("routing.add_rule"),
            "may_change": request.user.is_staff and request.user.has_perm("routing.change_rule"),
        },
    )


def _row(rule: Rule) -> RuleRow:
    return RuleRow(
        rule=rule,
        state=states.ENABLED if rule.enabled else states.DISABLED,
        matches=_matches(rule.called),
        does=_does(rule),
    )


def _matches(called: str) -> str:
    """What a pattern means, in words."""
    if len(called) > 1 and called.startswith("/") and called.endswith("/"):
        return f"Numbers like {called}"
    if called == "*":
        return "Every number"
    if called.endswith("*"):
        return f"Numbers that begin with {called[:-1]}"
    return called


def _does(rule: Rule) -> str:
    targets = [target.destination for target in rule.targets.all()]
    listed = ", ".join(targets)
    match rule.action:
        case Rule.Action.REJECT:
            reason = f" “{rule.reason}”" if rule.reason else ""
            return f"Rejected with {rule.status}{reason}"
        case Rule.Action.REDIRECT:
            return f"The caller is told to call {listed}"
        case Rule.Action.REDIRECT_CONTACTS:
            return f"The caller is told where the phones of {listed or 'that number'} are"
        case _:
            if len(targets) == 1:
                return f"Rings {listed} for {rule.timeout} s"
            way = (
                "one after the other"
                if rule.strategy == Rule.Strategy.SEQUENTIAL
                else "all at once"
            )
            return f"Rings {listed} {way}, {rule.timeout} s"
