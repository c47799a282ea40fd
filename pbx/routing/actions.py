"""What forms and files have in common when they change routing rules. Invalid values raise django's
ValidationError with sentences for the user."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.core.exceptions import ValidationError
from django.db import transaction

from pbx.routing.models import Rule


@transaction.atomic
def enable_rules(rules: Iterable[Rule], enabled: bool) -> int:
    """Enable or disable rules; return how many were otherwise before."""
    keys = [rule.pk for rule in rules]
    return Rule.objects.filter(pk__in=keys).exclude(enabled=enabled).update(enabled=enabled)


def check_targets(action: str, destinations: Sequence[str], called: str) -> None:
    """Refuse a rule that would send a call nowhere or in a circle, or a reject that names a place."""
    needs = action in (Rule.Action.FORWARD, Rule.Action.REDIRECT)
    if needs and not destinations:
        raise ValidationError("This action needs at least one target. Say where the call goes.")
    if action == Rule.Action.REJECT and destinations:
        raise ValidationError("A rule that rejects has no targets. Remove them.")
    if action == Rule.Action.REDIRECT and called in destinations:
        raise ValidationError(
            f"This rule tells who calls {called} to call {called}, which leads here again. "
            "Give another number."
        )
