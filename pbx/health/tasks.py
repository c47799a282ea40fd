"""The tasks that show that the schedule and a worker are alive, and the housekeeping of sessions."""

from __future__ import annotations

import time
from typing import Final

from celery import Celery, shared_task
from django.core.cache import cache
from django.core.management import call_command

from pbx.health.checks import BEAT_KEY, BEAT_LATE
from pbx.pagephones.actions import forget_old_pages

_EVERY: Final = 10.0


@shared_task
def note_beat() -> None:
    """Note that the schedule's task has come through a worker."""
    cache.set(BEAT_KEY, time.time(), timeout=int(BEAT_LATE * 10))


@shared_task
def clear_sessions() -> None:
    """Remove the sessions that have expired, and what was noted of their pages."""
    call_command("clearsessions")
    forget_old_pages()


def schedule(app: Celery) -> None:
    app.add_periodic_task(_EVERY, note_beat.s(), name="note beat", expires=_EVERY)
    app.add_periodic_task(24 * 3600.0, clear_sessions.s(), name="clear sessions")
