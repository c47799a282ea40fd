"""Routing rules: tried in order, the first that matches decides, then extensions, else 404."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from pbx.directory.models import Domain
from pbx.directory.validators import validate_one_line, validate_target
from pbx.routing.validators import validate_called, validate_target_groups


class Rule(models.Model):
    """What happens to calls to the numbers that `called` matches (see sipengine.api.Rule)."""

    class Action(models.TextChoices):
        FORWARD = "forward", "Ring the targets"
        REDIRECT = "redirect", "Redirect the caller to the targets (302)"
        REDIRECT_CONTACTS = (
            "redirect_contacts",
            "Redirect the caller to the registered phones (302)",
        )
        REJECT = "reject", "Reject"

    class Strategy(models.TextChoices):
        SIMULTANEOUS = "simultaneous", "all at once"
        SEQUENTIAL = "sequential", "one after the other"

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="rules")
    position = models.PositiveIntegerField(default=0, help_text="Lower is tried first.")
    enabled = models.BooleanField(default=True)
    name = models.CharField(max_length=120, validators=[validate_one_line])
    called = models.CharField(
        max_length=255,
        validators=[validate_called],
        help_text="A number (1999), a prefix (19*) or a regular expression (/^19(\\d\\d)$/); "
        "* is every number.",
    )
    action = models.CharField(max_length=20, choices=Action.choices, default=Action.FORWARD)
    strategy = models.CharField(
        max_length=12, choices=Strategy.choices, default=Strategy.SIMULTANEOUS
    )
    timeout = models.PositiveSmallIntegerField(
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(170)],
        help_text="Seconds per stage.",
    )
    status = models.PositiveSmallIntegerField(
        default=480,
        validators=[MinValueValidator(400), MaxValueValidator(699)],
        help_text="The SIP status of a rejected call, such as 480 or 603.",
    )
    reason = models.CharField(
        max_length=120,
        blank=True,
        validators=[validate_one_line],
        help_text="What a rejected caller's phone shows; empty for the status's usual words.",
    )
    follow_redirects = models.BooleanField(
        default=False, help_text="If a target answers with another address, ring that address."
    )

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "name"], name="one_rule_name_a_domain")
        ]

    def __str__(self) -> str:
        return self.name


class Target(models.Model):
    """Where a rule sends a call: an extension's number, an AOR or a SIP URI; {1} is a regex group."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="targets")
    position = models.PositiveIntegerField(default=0)
    destination = models.CharField(max_length=255, validators=[validate_target])

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.destination

    def clean(self) -> None:
        """Refuse a group that the rule's pattern does not have."""
        if self.rule_id is not None:
            validate_target_groups(self.rule.called, self.destination)
