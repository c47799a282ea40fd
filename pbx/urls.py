"""Every address of the web side, by app."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

admin.autodiscover()
# What is done when is written in the program; who administers has nothing to choose there.
_TIMETABLES = apps.get_app_config("django_celery_beat").get_models()
admin.site.unregister([each for each in _TIMETABLES if admin.site.is_registered(each)])

handler500 = "webui.dashboard.views.failing.server_error"
urlpatterns: list[URLPattern | URLResolver] = [
    # First: the dashboard's log-in stands before the admin's own.
    path("", include("webui.dashboard.urls")),
    path("", include("webui.webphone.urls")),
    path("admin/", admin.site.urls),
    path("", include("pbx.health.urls")),
]
