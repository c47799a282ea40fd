"""The page that looks at what a telephone in this browser needs, and what its script asks for."""

from __future__ import annotations

import ipaddress
import time
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from pbx.directory.models import Extension
from sipengine.path_probe import make, probe_key
from webui.access import may_operate
from webui.webphone.owner import for_phone_page, for_phone_script
from webui.webphone.trust import authority_pem, secure_origin

_SIGNS: Final = (
    ("waiting", "refresh"),
    ("ok", "circle-check"),
    ("bad", "circle-x"),
    ("left-out", "info-circle"),
)


@require_safe
@never_cache
@for_phone_page
def check(request: HttpRequest, extension: Extension) -> HttpResponse:
    environment = settings.ENVIRONMENT
    return render(
        request,
        "webphone/check.html",
        {
            "extension": extension,
            "page": "webphone",
            "phone_only": not may_operate(request.user),
            "safe": secure_origin(request),
            "own_authority": authority_pem() is not None,
            "media_port": environment.rtp_ports[0],
            "media_host": environment.advertised_address,
            "signs": _SIGNS,
        },
    )


@require_POST
@never_cache
@for_phone_script
def path(request: HttpRequest, extension: Extension) -> HttpResponse:
    """Where the media gateway is and how to ask it; `own` is false where PBX_MEDIA names another,
    which answers to calls only."""
    environment = settings.ENVIRONMENT
    given: dict[str, Any] = {"own": not environment.media}
    if given["own"]:
        credentials = make(probe_key(settings.SECRET_KEY), time.time())
        given |= {
            "ufrag": credentials.ufrag,
            "password": credentials.password,
            "port": environment.rtp_ports[0],
            "hosts": _hosts(environment.advertised_address, request),
        }
    return JsonResponse(given)


def _hosts(advertised: str, request: HttpRequest) -> list[str]:
    """What calls are told first, and the address that this page was reached by."""
    hosts = [advertised]
    try:
        hosts.append(str(ipaddress.ip_address(urlsplit(f"//{request.get_host()}").hostname or "")))
    except ValueError:
        return hosts  # it was reached by a name
    return list(dict.fromkeys(hosts))
