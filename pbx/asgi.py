"""The web side's ASGI application: Django for HTTP, Channels for the live pages."""

from __future__ import annotations

import importlib.util
import os
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pbx.settings")

from asgiref.typing import ASGI3Application
from django.core.asgi import get_asgi_application

_django = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402 - needs the apps loaded
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from pbx.admission import Admission  # noqa: E402
from pbx.cookies import HostCookies  # noqa: E402
from pbx.environment import current  # noqa: E402

websocket_urlpatterns: list[Any] = []
if importlib.util.find_spec("webui.dashboard.routing") is not None:
    from webui.dashboard.routing import websocket_urlpatterns

_routes: Any = ProtocolTypeRouter(
    {"http": _django, "websocket": AuthMiddlewareStack(URLRouter(websocket_urlpatterns))}
)
application = Admission(HostCookies(cast(ASGI3Application, _routes)), current().admin_networks)
