"""How long the certificate in use is good for yet."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

from cryptography import x509
from django.conf import settings

from pbx.health.checks import Health

_SOON: Final = dt.timedelta(days=14)
"""Somebody must get a new one from an authority, and may be on holiday."""


def certificate_health(now: dt.datetime) -> Health:
    """Whether the certificate of HTTPS and TLS is good for two more weeks at the time `now`."""
    file, _ = settings.ENVIRONMENT.tls_files
    try:
        certificate = x509.load_pem_x509_certificate(Path(file).read_bytes())
    except (OSError, ValueError):
        return Health(False, f"{file} cannot be read as a certificate")
    end = certificate.not_valid_after_utc
    if end - now > _SOON:
        return Health(True)
    when = f"it {'ends' if end > now else 'ended'} on {end.day} {end:%b %Y}"
    if settings.ENVIRONMENT.tls_cert:
        return Health(False, f"{when}: put a new one where PBX_TLS_CERT points to")
    return Health(False, f"{when} and was not renewed: see the background worker")
