"""The Celery application: work that may wait. The engine never waits for it."""

from __future__ import annotations

import os
from typing import Any, Final

from celery import Celery
from celery.signals import beat_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbx.settings")

from django.conf import settings

from pbx.supervisor.ready import tell_ready

app: Final = Celery("branchline")


def broker_url(redis_url: str) -> str:
    """Celery's spelling of redis-py's URL: a Unix socket is `redis+socket`; "" is a queue in
    this process only."""
    if not redis_url:
        return "memory://"
    if redis_url.startswith("unix://"):
        return "redis+socket://" + redis_url.removeprefix("unix://")
    return redis_url


app.conf.update(
    broker_url=broker_url(settings.REDIS_URL),
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3600},
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_time_limit=600,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,  # ours are short; it warns if not said
    beat_scheduler="django_celery_beat.schedulers:DatabaseScheduler",
    timezone="UTC",
)
app.autodiscover_tasks()


@app.on_after_finalize.connect
def _fill_schedule(sender: Celery, **_: Any) -> None:
    from pbx.certificates import tasks as certificates
    from pbx.guard import tasks as guard
    from pbx.health import tasks as health

    health.schedule(sender)
    certificates.schedule(sender)
    guard.schedule(sender)


@worker_ready.connect
def _worker_is_ready(**_: Any) -> None:
    tell_ready()


@beat_init.connect
def _beat_is_ready(**_: Any) -> None:
    """Send the first task at once: health need not wait a period to see the schedule alive."""
    from pbx.health.tasks import note_beat

    note_beat.apply_async(expires=60)
    tell_ready()
