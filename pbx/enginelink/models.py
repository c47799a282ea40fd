"""The bridge's own rows: how far each journal is shipped, what the engine last said of itself, what
it is asked to do."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class JournalPosition(models.Model):
    """How far a journal has been carried into the tables; advanced in the same transaction."""

    journal = models.UUIDField(primary_key=True)
    segment = models.BigIntegerField()
    offset = models.BigIntegerField()


class EngineStatus(models.Model):
    """One row an engine: its heartbeat and counters, for health, metrics and the dashboard."""

    name = models.CharField(max_length=64, primary_key=True)
    pid = models.IntegerField()
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    generation = models.BigIntegerField(default=0)
    counters = models.JSONField(default=dict)
    refused = models.JSONField(default=list)  # sipengine.api.RefusedPhone, the latest first


class Command(models.Model):
    """Something the engine is asked to do, and what it has said of it: one sentence a line.

    `state` is waiting, taken or over; `succeeded` is null until it is over.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=16)
    arguments = models.JSONField(default=dict)
    given_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=8, default="waiting")
    said = models.JSONField(default=list)
    succeeded = models.BooleanField(null=True)

    class Meta:
        indexes = (models.Index(fields=["state", "given_at"], name="command_state"),)
