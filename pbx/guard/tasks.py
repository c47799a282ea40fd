"""Bans that are long over are forgotten, so that years of scanners do not fill the table."""

from __future__ import annotations

import datetime as dt
from typing import Final

from celery import Celery, shared_task
from django.utils import timezone

from pbx.guard.models import Ban

KEPT: Final = dt.timedelta(days=90)
"""After its end: long enough to look back at an attack; the guard itself asks for a week."""

AT_ONCE: Final = 5_000
"""Rows a statement, so that none holds the table for long."""

_EVERY: Final = 6 * 3600.0


@shared_task
def forget_old_bans() -> None:
    """Remove bans, with their pardons, that ended more than 90 days ago."""
    ended = timezone.now() - KEPT
    while True:
        old = list(Ban.objects.filter(until__lt=ended).values_list("pk", flat=True)[:AT_ONCE])
        Ban.objects.filter(pk__in=old).delete()
        if len(old) < AT_ONCE:
            return


def schedule(app: Celery) -> None:
    app.add_periodic_task(_EVERY, forget_old_bans.s(), name="forget old bans", expires=_EVERY)
