"""Bans as the engine wrote them, and the pardons that people gave.

The engine alone writes bans. A pardon is an order to it: a trigger tells it at once, and it answers
by a ban whose `lifted_at` is set.
"""

from __future__ import annotations

import datetime as dt

from django.db import models


class Ban(models.Model):
    """One ban of one address; the columns are those of sipengine.api.BanRecord."""

    id = models.UUIDField(primary_key=True)
    revision = models.IntegerField()
    source = models.CharField(max_length=64)
    kind = models.CharField(max_length=16)
    reason = models.TextField()
    count = models.IntegerField()
    level = models.SmallIntegerField()
    since = models.DateTimeField()
    until = models.DateTimeField()
    dropped = models.BigIntegerField(default=0)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-since"]
        default_permissions = ("view",)
        permissions = [("lift_ban", "Can lift a ban")]
        indexes = [
            models.Index(fields=["-since", "id"], name="bans_newest_first"),
            models.Index(fields=["until"], name="bans_by_end"),
        ]

    def __str__(self) -> str:
        return f"{self.source} until {self.until:%Y-%m-%d %H:%M}"

    def goes_on(self, now: dt.datetime) -> bool:
        return self.lifted_at is None and self.until > now


class Pardon(models.Model):
    """Somebody let a banned address in again."""

    ban = models.ForeignKey(Ban, on_delete=models.CASCADE, related_name="pardons")
    by = models.CharField(max_length=150)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.ban} by {self.by}"
