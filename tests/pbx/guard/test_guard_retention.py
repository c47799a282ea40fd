"""Old bans are forgotten, those that somebody may still ask for are kept."""

from __future__ import annotations

import pytest

from pbx.celery import app
from pbx.guard import tasks
from pbx.guard.actions import lift
from pbx.guard.models import Ban, Pardon
from tests.pbx.guard.rows import ban

DAY = 86_400.0


@pytest.mark.django_db
def test_bans_are_kept_for_90_days_after_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AT_ONCE", 2)
    old = [ban(f"192.0.2.{n}", age=100 * DAY) for n in range(5)]
    Pardon.objects.create(ban=old[0], by="admin")
    ended = ban("192.0.2.10", age=89 * DAY)
    long = ban("192.0.2.11", age=95 * DAY, length=6 * DAY)
    going_on = ban("192.0.2.12")
    assert lift(going_on, "admin")
    tasks.forget_old_bans()
    assert set(Ban.objects.all()) == {ended, long, going_on}
    assert Pardon.objects.get().ban == going_on


def test_it_is_on_the_schedule() -> None:
    app.finalize()
    assert "forget old bans" in app.conf.beat_schedule
