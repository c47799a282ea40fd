"""Forms of the routing rules: a rule and its targets are right together or not at all."""

from __future__ import annotations

from django.forms import BaseInlineFormSet

from pbx.routing.actions import check_targets
from pbx.routing.validators import validate_target_groups


class TargetFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """A rule's targets; which of them make sense depends on the rule's action."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        destinations = [
            form.cleaned_data["destination"]
            for form in self.forms
            if form.cleaned_data.get("destination") and not form.cleaned_data.get("DELETE")
        ]
        check_targets(self.instance.action, destinations, self.instance.called)
        for destination in destinations:  # a new rule is not stored yet, so Target.clean cannot
            validate_target_groups(self.instance.called, destination)
