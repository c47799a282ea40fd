"""Which call is meant: by the log's id, the beginning of one, a SIP Call-ID, or `last`."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Final

from django.utils import timezone

from pbx.calls.models import Call

LAST: Final = "last"
_BEGINNING: Final = re.compile(r"[0-9a-fA-F-]{8,36}")
_CANDIDATES: Final = 5
_TRACED: Final = timedelta(days=8)
"""Call-IDs have no index; the messages of older calls are gone (sipengine/services/traces.py)."""


class Ambiguous(Exception):
    """Several calls are meant; the text lists them."""


def find(text: str) -> Call | None:
    """The call of the log, None if there is none: it may still be one that was refused.

    Raises `Ambiguous`.
    """
    if text == LAST:
        return Call.objects.order_by("-started", "-id").first()
    try:
        return Call.objects.filter(pk=uuid.UUID(text)).first()
    except ValueError:
        pass
    if _BEGINNING.fullmatch(text):
        low = text.replace("-", "").lower()
        if 8 <= len(low) < 32:
            first, last = uuid.UUID(low.ljust(32, "0")), uuid.UUID(low.ljust(32, "f"))
            found = list(Call.objects.filter(pk__range=(first, last)).order_by("-pk")[:_CANDIDATES])
            if len(found) > 1:
                calls = "".join(f"\n  {call.pk}  {call}" for call in found)
                raise Ambiguous(f"Several calls begin with {text}:{calls}")
            if found:
                return found[0]
    lately = Call.objects.filter(started__gte=timezone.now() - _TRACED)
    return lately.filter(call_ids__contains=[text]).order_by("-started").first()
