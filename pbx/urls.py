"""Every address of the web side, by app."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

admin.autodiscover()

urlpatterns: list[URLPattern | URLResolver] = [
    # First: the dashboard's log-in stands before the admin's own.
    path("", include("webui.dashboard.urls")),
    path("", include("webui.webphone.urls")),
    path("admin/", admin.site.urls),
    path("", include("pbx.health.urls")),
]
