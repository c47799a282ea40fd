from __future__ import annotations

from django.apps import AppConfig


class WebphoneConfig(AppConfig):
    name = "webui.webphone"
    label = "webphone"
