"""What people do about bans: lift them. The engine follows within a moment (enginelink's listener)."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from pbx.guard.models import Ban, Pardon


@transaction.atomic
def lift(ban: Ban, by: str) -> bool:
    """Order the engine to let the address in again; False if the ban is over already.

    `by` is who says so, for the record. A second order for the same ban changes nothing.
    """
    ban = Ban.objects.select_for_update().get(pk=ban.pk)
    if not ban.goes_on(timezone.now()):
        return False
    if not ban.pardons.exists():
        Pardon.objects.create(ban=ban, by=by[:150])
    return True
