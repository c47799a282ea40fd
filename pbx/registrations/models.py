"""Registrations as the engine wrote them. The web side only reads this table."""

from __future__ import annotations

from django.db import models


class Binding(models.Model):
    """One contact of one AOR; the columns are those of sipengine.api.BindingRecord."""

    aor = models.CharField(max_length=320)
    contact = models.TextField()
    params = models.TextField(blank=True)
    q = models.FloatField(default=1.0)
    expires_at = models.DateTimeField()
    call_id = models.TextField()
    cseq = models.BigIntegerField()
    path = models.JSONField(default=list)
    transport = models.CharField(max_length=8)
    received = models.CharField(max_length=64)
    local = models.CharField(max_length=64)
    user_agent = models.TextField(blank=True)
    instance = models.TextField(blank=True)
    reg_id = models.IntegerField(default=0)
    registered_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    unreachable_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["aor", "registered_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["aor", "contact", "instance", "reg_id"], name="one_binding_a_flow"
            )
        ]

    def __str__(self) -> str:
        return f"{self.aor} at {self.contact}"
