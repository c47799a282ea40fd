"""The certificate is looked at every hour: it is renewed in time, and when an address was added."""

from __future__ import annotations

import datetime
import logging
from typing import Final

from celery import Celery, shared_task
from django.conf import settings

from pbx.certificates.keeping import Kept, keep
from pbx.certificates.names import names_of
from pbx.directory.models import Domain

_log = logging.getLogger(__name__)

_EVERY: Final = 3600.0


@shared_task
def keep_certificate() -> None:
    """Renew this installation's certificate if it is its own and it is time."""
    environment = settings.ENVIRONMENT
    domain = Domain.objects.filter(is_default=True).first()
    if environment.tls_cert or domain is None:
        return
    names = names_of(environment, domain.name)
    done = keep(environment.data_dir / "tls", names, datetime.datetime.now(datetime.UTC))
    if done is Kept.AUTHORITY:
        _log.warning(
            "a new certificate authority was made: browsers and phones must be given it again, "
            "from the page /certificate/"
        )
    elif done is Kept.CERTIFICATE:
        _log.info("the certificate was renewed")


def schedule(app: Celery) -> None:
    app.add_periodic_task(_EVERY, keep_certificate.s(), name="keep certificate", expires=_EVERY)
