"""The pages' WebSocket addresses; pbx.asgi puts them behind admission and log-in."""

from __future__ import annotations

from django.urls import path

from webui.dashboard.consumers import LiveConsumer
from webui.webphone.consumers import PhoneConsumer

websocket_urlpatterns = [
    path("ws/live/", LiveConsumer.as_asgi()),
    path("ws/phone/", PhoneConsumer.as_asgi()),
]
