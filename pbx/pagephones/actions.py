"""Giving pages their credentials; that they end is the database's business (models.py)."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Final

from django.utils import timezone

from pbx.directory.models import Extension
from pbx.pagephones.models import Page
from sipengine.page_credentials import LIFE_S, PAGE_BYTES, PageCredential, issue

_KEPT: Final = dt.timedelta(days=1)


def credential_for(extension: Extension, person: int, session: str, key: bytes) -> PageCredential:
    """A credential for the page that this log-in session is for the extension, noted before it is
    given away. A page has the same mark as long as it goes on."""
    now = timezone.now()
    holds_until = now + dt.timedelta(seconds=LIFE_S)
    going_on = Page.objects.filter(session=session, extension=extension.pk, ended_at=None)
    page = going_on.filter(aor=extension.aor, person=person).first()
    if page is None or not going_on.filter(pk=page.pk).update(holds_until=holds_until):
        page = Page.objects.create(
            mark=secrets.token_hex(PAGE_BYTES),
            session=session,
            person=person,
            extension=extension.pk,
            aor=extension.aor,
            holds_until=holds_until,
        )
    domain = extension.domain.name
    return issue(extension.number, domain, page.mark, key, now.timestamp())


def forget_old_pages() -> None:
    """Remove what no credential belongs to any more."""
    Page.objects.filter(holds_until__lt=timezone.now() - _KEPT).delete()
