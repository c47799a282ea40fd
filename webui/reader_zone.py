"""Times on pages are in the reader's time zone, which the browser tells by a cookie."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

COOKIE = "timezone"
"""Set by ts/theme.ts on every page; until then the server's own zone stands in."""


class ReaderZoneMiddleware:
    """Activates the zone that the cookie names for the request; an unknown one is ignored."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        name = unquote(request.COOKIES.get(COOKIE, ""))
        try:
            zone = zoneinfo.ZoneInfo(name) if name else None
        except (
            ValueError,
            OSError,
        ):  # not found is a KeyError's kin; a path or a directory is these
            zone = None
        except zoneinfo.ZoneInfoNotFoundError:
            zone = None
        with timezone.override(zone):
            return self._get_response(request)
