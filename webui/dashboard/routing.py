"""The dashboard's WebSocket addresses; pbx.asgi puts them behind admission and log-in."""

from __future__ import annotations

from django.urls import path

from webui.dashboard.consumers import LiveConsumer

websocket_urlpatterns = [path("ws/live/", LiveConsumer.as_asgi())]
