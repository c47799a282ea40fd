"""Which pages hold a credential of which extension (docs/decisions/0014).

A page ends with the log-in session that it was given to, when its person gets another password or
is shut out, and when its extension becomes somebody else's. Triggers see to that, whoever made the
change, and tell the engine. Rows name sessions, people and extensions without referring to them:
they are needed for some minutes after those are gone.
"""

from __future__ import annotations

from django.db import models


class Page(models.Model):
    mark = models.CharField(primary_key=True, max_length=16)
    session = models.CharField(max_length=40, db_index=True)
    person = models.BigIntegerField()
    extension = models.BigIntegerField()
    aor = models.CharField(max_length=320)
    holds_until = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.aor} until {self.holds_until:%H:%M:%S}"
