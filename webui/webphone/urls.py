from __future__ import annotations

from django.urls import path

from webui.webphone import checking, trust, views

urlpatterns = [
    path("phone/", views.phone, name="webphone"),
    path("phone/credential/", views.credential, name="webphone-credential"),
    path("phone/history/", views.history, name="webphone-history"),
    path("phone/check/", checking.check, name="webphone-check"),
    path("phone/path/", checking.path, name="webphone-path"),
    path("certificate/", trust.trust, name="trust"),
    path("certificate/branchline.crt", trust.authority, name="authority"),
    path("phone/people/", views.people, name="webphone-people"),
    path("phone/neighbours/", views.neighbours, name="webphone-neighbours"),
]
