"""Every address of the web side, by app."""

from __future__ import annotations

import importlib.util

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
]
if importlib.util.find_spec("webui.dashboard.urls") is not None:
    urlpatterns.append(path("", include("webui.dashboard.urls")))
