"""All that changes routing rules. Each action is one transaction; invalid values raise
django's ValidationError with sentences for the user, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from pbx.directory.models import Domain
from pbx.routing.models import Rule, Target


@transaction.atomic
def add_rule(domain: Domain, name: str, targets: Sequence[str] = (), **fields: Any) -> Rule:
    """Add a rule after all others of its domain, unless a position is given."""
    if "position" not in fields:
        last = Rule.objects.filter(domain=domain).aggregate(last=Max("position"))["last"]
        fields["position"] = 0 if last is None else last + 1
    return _store(Rule(domain=domain, name=name, **fields), targets)


@transaction.atomic
def change_rule(rule: Rule, targets: Sequence[str] | None = None, **fields: Any) -> Rule:
    """Change fields of a rule and, if given, all its targets; all or none."""
    for name, value in fields.items():
        setattr(rule, name, value)
    if targets is None:
        targets = list(rule.targets.values_list("destination", flat=True))
    return _store(rule, targets)


@transaction.atomic
def remove_rule(rule: Rule) -> None:
    rule.delete()


@transaction.atomic
def move_rule(rule: Rule, before: Rule | None) -> None:
    """Let a rule be tried just before another of its domain, or last."""
    if before is not None and before.domain_id != rule.domain_id:
        raise ValidationError("These rules belong to different domains and have no common order.")
    if before == rule:
        return
    order = list(
        Rule.objects.select_for_update().filter(domain_id=rule.domain_id).exclude(pk=rule.pk)
    )
    order.insert(len(order) if before is None else order.index(before), rule)
    moved = []
    for position, one in enumerate(order):
        if one.position != position:
            one.position = position
            moved.append(one)
    Rule.objects.bulk_update(moved, ["position"])


@transaction.atomic
def enable_rules(rules: Iterable[Rule], enabled: bool) -> int:
    """Enable or disable rules; return how many were otherwise before."""
    keys = [rule.pk for rule in rules]
    return Rule.objects.filter(pk__in=keys).exclude(enabled=enabled).update(enabled=enabled)


def check_targets(action: str, destinations: Sequence[str]) -> None:
    """Refuse a rule that would send a call nowhere, or a reject that names a place."""
    needs = action in (Rule.Action.FORWARD, Rule.Action.REDIRECT)
    if needs and not destinations:
        raise ValidationError("This action needs at least one target. Say where the call goes.")
    if action == Rule.Action.REJECT and destinations:
        raise ValidationError("A rule that rejects has no targets. Remove them.")


def _store(rule: Rule, destinations: Sequence[str]) -> Rule:
    rule.full_clean()
    check_targets(rule.action, destinations)
    rule.save()
    targets = [
        Target(rule=rule, position=position, destination=destination)
        for position, destination in enumerate(destinations)
    ]
    for target in targets:
        target.full_clean(validate_unique=False, validate_constraints=False)
    rule.targets.all().delete()
    Target.objects.bulk_create(targets)
    return rule
