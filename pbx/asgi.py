"""The web side's ASGI application: Django for HTTP, Channels for the live pages."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbx.settings")

from django.core.asgi import get_asgi_application  # noqa: E402 - needs the settings' name first

_django = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402 - needs the apps loaded
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402


def _websocket_routes() -> list[Any]:
    if importlib.util.find_spec("webui.dashboard.routing") is None:
        return []
    from webui.dashboard.routing import websocket_urlpatterns

    return list(websocket_urlpatterns)


application = ProtocolTypeRouter(
    {
        "http": _django,
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter(_websocket_routes()))
        ),
    }
)
