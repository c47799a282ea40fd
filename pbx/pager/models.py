"""Text messages that wait for somebody (RFC 3428's pager mode), as the engine wrote them. The web
side only reads this table."""

from __future__ import annotations

from django.db import models


class KeptMessage(models.Model):
    """One message for a user who was away; the columns are those of sipengine.api.KeptMessage."""

    id = models.UUIDField(primary_key=True)
    recipient = models.TextField()
    sender = models.TextField()
    sender_name = models.TextField(blank=True)
    from_uri = models.TextField()
    content_type = models.TextField()
    body = models.TextField()
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["recipient", "sent_at", "id"]

    def __str__(self) -> str:
        return f"From {self.sender} to {self.recipient}"
