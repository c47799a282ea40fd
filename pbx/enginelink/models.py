"""The bridge's own rows: how far each journal is shipped, and what the engine last said of itself."""

from __future__ import annotations

from django.db import models


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
