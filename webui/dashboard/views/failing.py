"""The page for a request that failed: of us, or because the database is away."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.template import loader

from pbx.database_away import is_away

_AGAIN_S = 10


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500. Reads no session and asks no database: those may be what failed."""
    away = is_away(sys.exc_info()[1])
    page = loader.get_template("503.html" if away else "500.html").render()
    response = HttpResponse(page, status=503 if away else 500)
    if away:
        response["Retry-After"] = str(_AGAIN_S)
    return response
