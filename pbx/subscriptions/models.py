"""Subscriptions to events (RFC 6665) as the engine wrote them. The web side only reads this table."""

from __future__ import annotations

from django.db import models


class Subscription(models.Model):
    """One phone that watches one extension; the columns are those of sipengine.api.SubscriptionRecord."""

    id = models.TextField(primary_key=True)
    package = models.TextField()
    event_id = models.TextField(blank=True)
    resource = models.TextField("watches")
    subscriber = models.TextField()
    call_id = models.TextField()
    local = models.TextField()
    remote = models.TextField()
    remote_tag = models.TextField()
    target = models.TextField()
    routes = models.JSONField(default=list)
    cseq = models.BigIntegerField()
    remote_cseq = models.BigIntegerField()
    expires_at = models.DateTimeField()
    transport = models.CharField(max_length=8)
    received = models.CharField(max_length=64)
    user_agent = models.TextField(blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    kind = models.TextField("document type", blank=True, db_default="")

    class Meta:
        ordering = ["subscriber", "resource", "package"]

    def __str__(self) -> str:
        return f"{self.subscriber} watches {self.resource} ({self.package})"
