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
from django.conf import settings  # noqa: E402
from django.urls import path, re_path  # noqa: E402

from pbx.admission import Admission  # noqa: E402
from pbx.cookies import HostCookies  # noqa: E402
from pbx.environment import current  # noqa: E402
from pbx.siprelay.relay import PATH, SipRelay  # noqa: E402
from sipengine.relay_note import relay_key  # noqa: E402

websocket_urlpatterns: list[Any] = []
if importlib.util.find_spec("webui.dashboard.routing") is not None:
    from webui.dashboard.routing import websocket_urlpatterns

_environment = current()
# A phone proves itself to the engine by its SIP password, so no session is looked up for it.
_sockets = [
    path(PATH[1:], cast(Any, SipRelay(_environment.ws_engine, relay_key(settings.SECRET_KEY)))),
    re_path(r"", AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
]
_routes: Any = ProtocolTypeRouter({"http": _django, "websocket": URLRouter(_sockets)})
application = Admission(
    HostCookies(cast(ASGI3Application, _routes)),
    _environment.admin_networks,
    sip_path=PATH,
    sip_origins=_environment.ws_origins,
)
