"""Rules as tests need them, checked as the forms of the admin check theirs."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from pbx.directory.models import Domain
from pbx.routing.actions import check_targets
from pbx.routing.models import Rule, Target


@transaction.atomic
def add_rule(domain: Domain, name: str, targets: Sequence[str] = (), **fields: object) -> Rule:
    """A rule after all others of its domain, unless a position is given."""
    fields.setdefault("position", Rule.objects.filter(domain=domain).count())
    rule = Rule(domain=domain, name=name, **fields)
    rule.full_clean()
    check_targets(rule.action, targets, rule.called)
    rule.save()
    for position, destination in enumerate(targets):
        target = Target(rule=rule, position=position, destination=destination)
        target.full_clean()
        target.save()
    return rule
