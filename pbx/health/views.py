"""`/healthz` for load balancers and people, `/metrics` for Prometheus."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import threading
import time
from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pbx.environment import current
from pbx.health.checks import Health, check_all
from pbx.health.exposition import CONTENT_TYPE, render

_FRESH: Final = 1.0  # seconds an answer is given again: whoever asks often costs no connections
_logger: Final = logging.getLogger(__name__)
_lock: Final = threading.Lock()
_last: tuple[float, dict[str, Health]] | None = None


@require_safe
@never_cache
def web(request: HttpRequest) -> HttpResponse:
    """The web part alone: it answers, so it lives."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """200 if every part is well, 503 otherwise, with the parts by name.

    What is wrong is told in a sentence to those who may read the metrics; it can hold addresses.
    """
    found = {"web": Health(True), **_fresh_checks()}
    trusted = is_trusted(request)
    parts: dict[str, dict[str, object]] = {}
    for name, state in found.items():
        parts[name] = {"ok": state.ok}
        if trusted and state.trouble:
            parts[name]["trouble"] = state.trouble
    well = all(state.ok for state in found.values())
    body = {"status": "ok" if well else "failing", "parts": parts}
    return JsonResponse(body, status=200 if well else 503)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Counters as Prometheus text, to loopback or to the holder of PBX_METRICS_TOKEN."""
    if not is_trusted(request):
        refused = HttpResponse("A token is needed: PBX_METRICS_TOKEN.\n", status=401)
        refused["WWW-Authenticate"] = "Bearer"
        return refused
    return HttpResponse(render(), content_type=CONTENT_TYPE)


def is_trusted(request: HttpRequest) -> bool:
    """Whether the request comes from this machine or shows the token."""
    token = current().metrics_token
    shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
    # Compared even when the address suffices or no token is set: the time tells nothing.
    matches = hmac.compare_digest(shown.encode(), token.encode()) and bool(token)
    try:
        source = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return matches
    if isinstance(source, ipaddress.IPv6Address) and source.ipv4_mapped:
        source = source.ipv4_mapped
    return matches or source.is_loopback


def _fresh_checks() -> dict[str, Health]:
    global _last
    with _lock:
        # What was wrong a moment ago is asked again: whoever waits for a start sees its end.
        stale = _last is None or time.monotonic() - _last[0] > _FRESH
        if _last is None or stale or not all(state.ok for state in _last[1].values()):
            before = _last[1] if _last else {}
            _last = (time.monotonic(), check_all())
            _tell_changes(before, _last[1])
        return _last[1]


def _tell_changes(before: dict[str, Health], now: dict[str, Health]) -> None:
    """Log each part that fell ill or recovered since it was last asked for; once, not at each question."""
    for name, state in now.items():
        was_ok = before.get(name, Health(True)).ok
        if was_ok and not state.ok:
            _logger.warning("%s is not well: %s", name, state.trouble)
        elif state.ok and not was_ok:
            _logger.info("%s is well again", name)
