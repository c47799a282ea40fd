from __future__ import annotations

from django.urls import path

from pbx.health import views

urlpatterns = [
    path("healthz", views.health, name="health"),
    path("healthz/web", views.web, name="health-web"),
    path("metrics", views.metrics, name="metrics"),
]
