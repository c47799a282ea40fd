from __future__ import annotations

from django.urls import path

from webui.webphone import views

urlpatterns = [
    path("phone/", views.phone, name="webphone"),
    path("phone/credential/", views.credential, name="webphone-credential"),
    path("phone/history/", views.history, name="webphone-history"),
    path("phone/people/", views.people, name="webphone-people"),
]
