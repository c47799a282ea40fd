"""The call log as the engine wrote it. The web side only reads these tables."""

from __future__ import annotations

from django.db import models


class Call(models.Model):
    """One logical call, however many branches; the columns are those of sipengine.api.CallRecord."""

    id = models.UUIDField(primary_key=True)
    revision = models.IntegerField()
    domain = models.CharField(max_length=253)
    call_ids = models.JSONField(default=list)
    tags = models.JSONField(default=list)
    state = models.CharField(max_length=8)
    caller = models.TextField()
    caller_name = models.TextField(blank=True)
    caller_device = models.TextField(blank=True)
    called = models.TextField()
    answered_by = models.TextField(blank=True)
    answered_device = models.TextField(blank=True)
    started = models.DateTimeField()
    ringing = models.DateTimeField(null=True)
    answered = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)
    result = models.CharField(max_length=12, blank=True)
    sip_status = models.IntegerField(default=0)
    hangup_by = models.CharField(max_length=8, blank=True)
    rule = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    decision = models.JSONField(default=list)
    quality = models.TextField(
        blank=True, default="", db_default=""
    )  # JSON, see pbx/calls/quality.py
    session_interval = models.PositiveIntegerField(default=0, db_default=0)  # seconds (RFC 4028)

    class Meta:
        ordering = ["-started", "-id"]
        indexes = [
            models.Index(fields=["-started", "-id"], name="calls_newest_first"),
            models.Index(fields=["caller"], name="calls_by_caller"),
            models.Index(fields=["called"], name="calls_by_called"),
            models.Index(
                fields=["state"], condition=~models.Q(state="ended"), name="calls_going_on"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.caller} to {self.called}"


class Leg(models.Model):
    """One branch of a call; the columns are those of sipengine.api.LegRecord."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="legs")
    position = models.PositiveIntegerField()
    target = models.TextField()
    contact = models.TextField()
    device = models.TextField(blank=True)
    started = models.DateTimeField()
    ringing = models.DateTimeField(null=True)
    answered = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)
    sip_status = models.IntegerField(default=0)
    result = models.CharField(max_length=12, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["call", "position"], name="one_leg_a_position")
        ]

    def __str__(self) -> str:
        return f"leg {self.position} to {self.target}"
