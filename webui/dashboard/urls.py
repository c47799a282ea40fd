from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from webui.dashboard.views import account, calls, extensions, guard, live, phones, rules, system

urlpatterns = [
    path("", live.live, name="live"),
    path("live/now/", live.live_now, name="live-now"),
    path("calls/", calls.call_log, name="calls"),
    path("calls/calls.csv", calls.call_log_csv, name="calls-csv"),
    path("calls/<uuid:call_id>/", calls.call, name="call"),
    path("calls/<uuid:call_id>/pane/", calls.call_pane, name="call-pane"),
    path("calls/<uuid:call_id>/messages/", calls.call_messages, name="call-messages"),
    path("phones/", phones.phones, name="phones"),
    path("extensions/", extensions.extensions, name="extensions"),
    path("routing/", rules.routing, name="routing"),
    path("guard/", guard.guard, name="guard"),
    path("guard/now/", guard.guard_now, name="guard-now"),
    path("guard/<uuid:ban_id>/lift/", guard.lift_ban, name="lift-ban"),
    path("system/", system.system, name="system"),
    path("system/parts/", system.parts, name="system-parts"),
    path("login/", account.LogIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", account.ChangePassword.as_view(), name="password"),
    # One door only: the lock-out and the look of /login/ hold for the admin too.
    path("admin/login/", account.administration_door),
]
