"""System: are the parts well, what runs where, and the reader's own account."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pbx.certificates.ending import certificate_health
from pbx.command_line import own_version
from pbx.directory.models import Domain
from pbx.enginelink.models import EngineStatus
from pbx.health.checks import check_all
from webui.access import operator_required
from webui.dashboard import states
from webui.dashboard.states import State

_PARTS: Final = {
    "database": ("Database", "Postgres: configuration and call log"),
    "engine": ("Phone engine", "registers phones and connects calls"),
    "gateway": ("Media gateway", "carries the voice between browsers and phones"),
    "disk": ("Disk", "room for the database, the journal and the logs"),
    "redis": ("Message broker", "Redis or Valkey: live pages and background work"),
    "worker": ("Background worker", "work that may wait"),
    "certificate": ("Certificate", "for HTTPS and for phones over TLS"),
    "beat": ("Scheduler", "work at fixed times"),
}


@dataclass(frozen=True, slots=True)
class PartRow:
    name: str
    purpose: str
    state: State
    trouble: str


@require_safe
@never_cache
@operator_required
def system(request: HttpRequest) -> HttpResponse:
    """The page at once; how the parts are comes a moment later, for asking them takes time."""
    environment = settings.ENVIRONMENT
    default = Domain.objects.filter(is_default=True).first()
    return render(
        request,
        "dashboard/system.html",
        {
            "page": "system",
            "now": timezone.now(),
            "engines": list(EngineStatus.objects.order_by("name")),
            "address": environment.advertised_address,
            "domain": default.name if default else environment.default_domain,
            "sip_port": environment.sip_port,
            "sips_port": environment.sips_port,
            "versions": _versions(),
        },
    )


@require_safe
@never_cache
@operator_required
def parts(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    rows = [
        PartRow(
            *_PARTS.get(name, (name.capitalize(), "")),
            state=states.PART_WORKS if health.ok else states.PART_FAILS,
            trouble=health.trouble,
        )
        for name, health in (check_all() | {"certificate": certificate_health(now)}).items()
    ]
    return render(request, "dashboard/_parts.html", {"rows": rows})


def _versions() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (postgres,) = cursor.fetchone()
    return [
        ("Branchline", own_version()),
        ("Python", platform.python_version()),
        ("Django", version("django")),
        ("Postgres", postgres.partition(" ")[0]),
    ]
